"""Nothing is told to anybody: libraries' reports on their use are switched off, unless the user has a word on it."""

from __future__ import annotations

from collections.abc import MutableMapping

_GENERAL = ("DO_NOT_TRACK", "DISABLE_TELEMETRY")
_NO = ("", "0", "false", "no", "off")
OFF = {
    "HF_HUB_DISABLE_TELEMETRY": "1",  # transformers, trl, datasets, gradio_client and others tell by huggingface_hub
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_ERROR_REPORTING": "false",  # to its makers; what a run logs is not meant
    "GRADIO_ANALYTICS_ENABLED": "False",  # trackio's dashboard
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "UNSLOTH_DISABLE_STATISTICS": "1",
    "AXOLOTL_DO_NOT_TRACK": "1",
    "DEEPEVAL_TELEMETRY_OPT_OUT": "YES",
    "RAGAS_DO_NOT_TRACK": "true",
    "ANONYMIZED_TELEMETRY": "False",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "LITELLM_TELEMETRY": "False",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


def switch_off(environment: MutableMapping[str, str]) -> None:
    """Set what libraries look for, in place. What is there already stays: `HF_HUB_DISABLE_TELEMETRY=0` switches on.

    The variables that many libraries share would switch such a one off again, hence they are left alone then; set to
    0 they are the user's word for all.
    """
    if any(environment.get(name, "1").lower() in _NO for name in _GENERAL):
        return
    is_asked = any(name in environment for name in OFF)
    for name, value in OFF.items():
        environment.setdefault(name, value)
    if not is_asked:
        environment.setdefault("DO_NOT_TRACK", "1")
