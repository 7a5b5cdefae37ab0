"""Callbacks and loggers in the front: what is wrong with them is said before anything starts, and no code is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verbs.conftest import folder, here  # noqa: F401  fixtures
from training_hub import EarlyStopping, TrainingHubCallback, train
from training_hub.config.groups import GROUPS
from training_hub.config.overrides import override_texts
from training_hub.errors import ConfigError
from training_hub.verbs.estimate.trial import _is_ours

GIVEN = ["model_path=model", "data_path=rows.jsonl", "output_dir=run"]
HELD_OUT = ["eval_data_path=rows.jsonl", "eval_steps=5"]
MINE = """\
raise SystemExit("imported in the front")
from training_hub import TrainingHubCallback

class Mine(TrainingHubCallback):
    def __init__(self, threshold: float, words=("a",)):
        self.threshold = threshold

class Anything(Mine):
    def __init__(self, **further):
        super().__init__(**further)
"""


@pytest.fixture(autouse=True)
def place(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """A folder with a module of the user's, which must not be imported."""
    (here / "hub_test_mine.py").write_text(MINE)
    monkeypatch.setenv("TRAINING_HUB_TARGETS", "hub_test_mine")
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(here / "netrc"))
    return here


def config(*overrides: str) -> dict[str, object]:
    return train.plan(train.composed([*GIVEN, *overrides])).config


def faults(*overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        config(*overrides)
    return list(error.value.faults)


def mine(*settings: str, name: str = "Mine") -> list[str]:
    return [f"callbacks.mine._target_=hub_test_mine.{name}", *(f"callbacks.mine.{each}" for each in settings)]


def test_a_class_of_the_users_takes_its_arguments_from_the_config() -> None:
    node = {"_target_": "hub_test_mine.Mine", "threshold": 0.9, "words": ["b"]}
    assert config(*mine("threshold=0.9", "words=[b]"))["callbacks"] == {"mine": node}


CASES = {
    "a misspelled argument": (
        mine("treshold=0.9"),
        ["callbacks.mine.treshold=0.9: no such parameter; did you mean callbacks.mine.threshold?"],
    ),
    "a type": (mine("threshold=high"), ["callbacks.mine.threshold=high: the library wants float"]),
    "an argument that is missing": (
        mine(),
        ["callbacks.mine.threshold: the class asks for it; add callbacks.mine.threshold=..."],
    ),
    "a package that is not allowed": (
        ["callbacks.mine._target_=os.Mine"],
        ["callbacks.mine._target_=os.Mine: code of os is not run from a config; "
         "set TRAINING_HUB_TARGETS=os if you trust it"],
    ),
    "an option that is misspelled": (
        ["callbacks.early_stoping.patience=3"],
        ["callbacks.early_stoping={'patience': 3}: nothing of this name is chosen; "
         "did you mean callbacks.early_stopping?"],
    ),
    "settings of nothing": (
        ["callbacks.gate.level=3"],
        ["callbacks.gate={'level': 3}: nothing of this name is chosen; "
         "add callbacks.gate._target_=package.module.Class"],
    ),
    "settings of no logger": (
        ["logger.foo.lr=1"],
        ["logger.foo={'lr': 1}: nothing of this name is chosen; add logger.foo._target_=package.module.Class"],
    ),
    "patience": (
        [*HELD_OUT, "callbacks.early_stopping.patience=0"],
        ["callbacks.early_stopping.patience=0: must be greater than 0"],
    ),
    "early stopping without held-out rows": (
        ["callbacks=[early_stopping]"],
        ["callbacks.early_stopping.metric=eval_loss: there are no held-out rows to measure it on; "
         "add eval_data_path=FILE or eval_fraction=0.05"],
    ),
    "early stopping without a rhythm": (
        ["callbacks=[early_stopping]", "eval_fraction=0.5"],
        ["callbacks.early_stopping.metric=eval_loss: it is measured before and after training alone; "
         "add eval_steps=..."],
    ),
    "a checkpoint at every step": (
        ["callbacks.early_stopping.metric=loss"],
        ["callbacks.early_stopping.metric=loss: a checkpoint would be saved at nearly every step; "
         "add callbacks.early_stopping.save_best=false"],
    ),
    "a metric of which nobody knows which way is better": (
        [*mine("threshold=0.9"), "callbacks.early_stopping.metric=my/score"],
        ["callbacks.early_stopping.metric=my/score: it is not known whether lower or higher is better; "
         "add callbacks.early_stopping.mode=max, or min"],
    ),
    "a metric of a bad name": (
        ["callbacks.early_stopping.metric=my score", "callbacks.early_stopping.mode=max"],
        ["callbacks.early_stopping.metric=my score: must begin with a letter and have at most 100 letters, digits, "
         "_, ., - or /; give eval_loss, loss, or the name of a further metric"],
    ),
    "a metric that is a count": (
        ["callbacks.early_stopping.metric=tokens"],
        ["callbacks.early_stopping.metric=tokens: is the name of a metric that every run has; "
         "give eval_loss, loss, or the name of a further metric"],
    ),
    "a held-out metric of the trainer without held-out rows": (
        ["callbacks.early_stopping.metric=eval_rewards/margins", "callbacks.early_stopping.mode=max"],
        ["callbacks.early_stopping.metric=eval_rewards/margins: there are no held-out rows to measure it on; "
         "add eval_data_path=FILE or eval_fraction=0.05"],
    ),
    "no mode": (
        ["callbacks.early_stopping.metric=my/score", "callbacks.early_stopping.mode=higher"],
        ["callbacks.early_stopping.mode=higher: must be 'min' or 'max'"],
    ),
    "wandb without a key": (
        ["wandb_project=mine", "logger.wandb.requires=[]"],
        ["logger=wandb: no key for it; set WANDB_API_KEY, run `wandb login`, or add logger.wandb.mode=offline"],
    ),
    "a mode that wandb lacks": (
        ["logger.wandb.mode=offlin", "logger.wandb.requires=[]"],
        ["logger.wandb.mode=offlin: must be 'online', 'offline' or 'disabled'"],
    ),
    "a client that is not installed": (
        ["logger=[jsonl,trackio]", "logger.trackio.requires=[no-such-client]"],
        ["logger=trackio: not installed: no-such-client; pip install 'no-such-client'"],
    ),
    "a password": (
        ["mlflow_tracking_uri=https://me:hunter22@host", "logger.mlflow.requires=[]"],
        ["mlflow_tracking_uri=***: holds a password, and would be written to the run directory; "
         "give it by the environment, e.g. HF_TOKEN or MLFLOW_TRACKING_PASSWORD"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_fault_is_one_line(case: str) -> None:
    overrides, lines = CASES[case]
    assert faults(*overrides) == lines


def test_a_module_that_is_not_there_is_named(place: Path) -> None:
    (text,) = faults("callbacks.mine._target_=hub_test_mine.sub.sub.Mine")
    assert text.startswith(
        "callbacks.mine._target_=hub_test_mine.sub.sub.Mine: there is no module hub_test_mine.sub.sub"
    )


def test_arguments_that_the_source_does_not_name_are_left_to_the_worker() -> None:
    assert config(*mine("whatever=1", name="Anything"))["callbacks"]


def test_setting_something_of_an_option_chooses_it() -> None:
    chosen = config("wandb_project=mine", "logger.wandb.mode=offline", "logger.wandb.requires=[]")["logger"]
    assert isinstance(chosen, dict)
    assert list(chosen) == ["jsonl", "wandb"]
    assert (chosen["wandb"]["project"], chosen["wandb"]["tags"]) == ("mine", None)
    stopping = config(*HELD_OUT, "callbacks.early_stopping.patience=7")["callbacks"]
    assert isinstance(stopping, dict)
    assert stopping["early_stopping"]["patience"] == 7
    assert stopping["early_stopping"]["metric"] == "eval_loss"


def test_names_of_the_environment_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    quiet = ["logger.wandb.mode=offline", "logger.wandb.requires=[]", "logger.mlflow.requires=[]"]
    found = config("logger=[jsonl,wandb,mlflow]", *quiet)["logger"]
    assert isinstance(found, dict)
    assert (found["wandb"]["project"], found["mlflow"]["tracking_uri"]) == ("theirs", "https://mlflow.example")


def test_wandb_takes_the_key_that_its_login_wrote(place: Path) -> None:
    (place / "netrc").write_text("machine api.wandb.ai login user password 0123456789\n")
    (place / "netrc").chmod(0o600)
    assert config("logger=[jsonl,wandb]", "logger.wandb.requires=[]")["logger"]


def test_save_total_limit_has_an_effect_beside_early_stopping() -> None:
    assert config(*HELD_OUT, "callbacks=[early_stopping]", "save_total_limit=1")["save_total_limit"] == 1


class Gate(TrainingHubCallback):
    """Given as an instance."""

    def __init__(self, threshold: float, words: tuple[str, ...] = ()) -> None:
        self.threshold, self.words = threshold, words


def given(*callbacks: object) -> list[str]:
    return override_texts({"callbacks": list(callbacks)}, GROUPS)


def test_an_instance_is_its_class_and_what_it_was_made_with() -> None:
    target = f"{Gate.__module__}.Gate"
    assert given(Gate(0.9, words=("a",)), Gate(1), EarlyStopping(patience=2), "early_stopping") == [
        f"callbacks.gate={{_target_:'{target}',threshold:0.9,words:['a']}}",
        f"callbacks.gate_2={{_target_:'{target}',threshold:1}}",
        "callbacks.early_stopping={_target_:'training_hub.callbacks.EarlyStopping',patience:2,metric:'eval_loss',"
        "min_delta:0.0,save_best:true,mode:null}",
        "callbacks=[early_stopping]",
    ]
    assert override_texts({"callbacks": Gate(2)}, GROUPS) == [f"callbacks.gate={{_target_:'{target}',threshold:2}}"]


def test_an_instance_that_was_changed_is_refused() -> None:
    changed = Gate(0.9)
    changed.threshold = 0.5
    with pytest.raises(ConfigError, match=r"^callbacks=Gate: its threshold was changed after it was made; give"):
        given(changed)


def test_what_no_worker_finds_is_refused() -> None:
    class Inner(TrainingHubCallback):
        pass

    with pytest.raises(ConfigError, match=r"^callbacks=Inner: defined in a function, where no worker finds it; put it"):
        given(Inner())
    with pytest.raises(ConfigError, match=r"^callbacks=int: no callback; give"):
        given(3)


def test_an_experiment_that_sets_what_it_did_not_choose_is_refused(place: Path) -> None:
    (place / "conf" / "experiment").mkdir(parents=True)
    text = "# @package _global_\nlogger: {wandb: {project: mine}}\n"
    (place / "conf" / "experiment" / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        train.plan(train.composed([*GIVEN, "experiment=mine"], [str(place / "conf")]))
    rule = "nothing of this name is chosen; add logger=[jsonl,wandb]"
    assert list(error.value.faults) == ["logger.wandb={'project': 'mine'}: " + rule]


def test_a_trial_that_measures_time_tells_nobody() -> None:
    beside = ["wandb_project", "logger", "logger.mlflow.tags", "callbacks", "callbacks.mine._target_"]
    assert [_is_ours(key) for key in [*beside, "lr", "model_path"]] == [True] * 5 + [False] * 2
