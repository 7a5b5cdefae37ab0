"""Hydra's own settings: used, or refused in one line; never passed over."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hydra.conf import HydraConf
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf

from training_hub import train
from training_hub.config.hydras import SweepDeclared
from training_hub.errors import ConfigError

NOT_USED = "a setting of Hydra's that this program does not use"


def refused(*texts: str, sweep: bool | None = False, folders: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(ConfigError) as error:
        train.composed(texts, folders, sweep=sweep)
    return list(error.value.faults)


def experiment(folder: Path, content: str) -> tuple[str, ...]:
    (folder / "experiment").mkdir(exist_ok=True)
    (folder / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{content}")
    return (str(folder),)


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("hydra.run.dir=x", "use output_dir=DIR"),
        ("+hydra.job.env_set.X=y", "set it before the command: NAME=VALUE python -m training_hub ..."),
        ("hydra.job.name=x", "use output_dir=DIR"),
        ("hydra.job.num=3", "drop it"),
        ("hydra.verbose=true", "use --debug"),
        ("hydra.output_subdir=x", "use output_dir=DIR"),
        ("hydra.job.env_copy=[FOO]", "a run has the variables of the shell that starts it; drop it"),
        ("hydra.searchpath=[file:///tmp]", "use --config-dir DIR"),
        ("+hydra.callbacks.x._target_=a.B", "use callbacks.NAME._target_=package.module.Class"),
        ("hydra/callbacks=foo", "use callbacks.NAME._target_=package.module.Class"),
        ("hydra/job_logging=stdout", "a run writes its own log; drop it"),
        ("hydra.help.app_name=x", "see --help"),
    ],
)
def test_what_is_never_used_is_refused_with_what_to_use(text: str, way: str) -> None:
    for sweep in (False, True, None):
        [said] = refused(text, sweep=sweep)
        assert f": {NOT_USED}; {way}" in said


@pytest.mark.parametrize("text", ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweeper.n_trials=2"])
def test_what_is_for_sweeps_is_refused_for_one_run(text: str) -> None:
    assert refused(text) == [f"{text}: for sweeps alone; add -m, or drop it"]


def test_a_setting_of_a_plugin_that_is_not_chosen_is_refused() -> None:
    [said] = refused("hydra.launcher.n_jobs=2", sweep=True)
    assert said.startswith("hydra.launcher.n_jobs=2: hydra/launcher=basic has no such setting; choose one that has it")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hydra=1", "hydra=1: Hydra's own settings, which a value cannot replace; drop it"),
        ("~hydra.run", "~hydra.run: a setting of Hydra's cannot be deleted; drop it"),
        ("hydra.runn.dir=x", "hydra.runn.dir: no such setting of Hydra; did you mean hydra.run?"),
        ("hydra/launcher@foo=basic", "hydra/launcher@foo: an option of Hydra's has its own place; drop the @foo"),
        ("hydra.mode=run", "hydra.mode=run: must be RUN or MULTIRUN; choose one of the two"),
        ("hydra/launcher=[basic]", "hydra/launcher=['basic']: one is chosen, not a list of them; give one name"),
        ("hydra.sweep.dir=null", "hydra.sweep.dir=null: must be a folder; write hydra.sweep.dir=DIR"),
        ("hydra.sweeper._target_=os.system",
         "hydra.sweeper._target_=os.system: a class of Hydra's is chosen by name; use hydra/sweeper=NAME, or drop it"),
    ],
)  # fmt: skip
def test_what_hydra_itself_would_stumble_over_is_one_line(text: str, said: str) -> None:
    assert refused(text, sweep=True) == [said]


def test_a_file_is_asked_the_same_with_its_line(tmp_path: Path) -> None:
    content = "defaults: [override /hydra/job_logging: stdout]\nhydra:\n  run: {dir: x}\n  job: {env_copy: [FOO]}\n"
    said = refused("experiment=mine", folders=experiment(tmp_path, content))
    assert [text.partition(";")[0] for text in said] == [
        f"hydra.run.dir=x: {NOT_USED} (experiment/mine.yaml, line 4)",
        f"hydra.job.env_copy=['FOO']: {NOT_USED} (experiment/mine.yaml, line 5)",
        f"hydra/job_logging=stdout: {NOT_USED} (experiment/mine.yaml, line 2)",
    ]


def test_an_option_of_hydras_that_is_put_into_the_config_is_refused(tmp_path: Path) -> None:
    folders = experiment(tmp_path, "defaults: [/hydra/launcher/basic@hydra.launcher]\n")
    [said] = refused("experiment=mine", folders=folders)
    assert said.endswith("hydra/launcher/basic is put into the config; write override /hydra/launcher: basic")


def test_a_file_that_declares_a_sweep_makes_no_single_run_unless_it_is_asked_for(tmp_path: Path) -> None:
    folders = experiment(tmp_path, "hydra:\n  mode: MULTIRUN\n  sweeper: {params: {lr: '1,2'}}\n")
    with pytest.raises(
        SweepDeclared, match=r"asks for a sweep, and this is one run \(experiment/mine.yaml, line 3\); "
    ):
        train.composed(["experiment=mine"], folders)
    assert train.composed(["experiment=mine", "hydra.mode=RUN"], folders).cfg.lr == 1e-5
    assert train.composed(["experiment=mine"], folders, sweep=True).hydra_cfg.hydra.sweeper.params == {"lr": "1,2"}


def test_without_a_mode_a_declared_sweeper_asks_for_m(tmp_path: Path) -> None:
    folders = experiment(tmp_path, "hydra:\n  sweeper: {params: {lr: '1,2'}}\n")
    way = "add -m, or for a single run add hydra.mode=RUN"
    said = f"hydra.sweeper.params.lr=1,2: for sweeps alone (experiment/mine.yaml, line 3); {way}"
    assert refused("experiment=mine", folders=folders) == [said]


def keys(node: Any, prefix: str) -> list[str]:
    found = []
    for name in node:
        found.append(f"{prefix}.{name}")
        inner = node._get_node(name)
        found += keys(inner, f"{prefix}.{name}") if isinstance(inner, DictConfig) and not inner._is_missing() else []
    return found


KEYS = [
    *keys(OmegaConf.structured(HydraConf), "hydra"),
    "hydra",
    "hydra.nix",
    "hydra.sweeper.n_trials",
    "hydra.job.a.b",
]
GROUPS = [f"hydra/{name}" for each in HydraConf().defaults for name in each] + ["hydra/nix", "hydra/sweeper/sampler"]
VALUES = ["1", "-0.5", "true", "null", "x", "''", "[]", "[1,a]", "{}", "{a:1}", "{a:{b:[c]}}", "'1,2'", "MULTIRUN",
          "RUN", "basic", "default", "${lr}", "${nix}", "${oc.env:NIX}", "???", "{_target_:os.system}"]  # fmt: skip


@settings(max_examples=120, derandomize=True, deadline=None)
@given(
    st.sampled_from(["", "+", "++", "~"]),
    st.sampled_from(KEYS + GROUPS),
    st.sampled_from(VALUES),
    st.sampled_from([False, True, None]),
)
def test_any_setting_is_used_or_refused_in_one_line(lead: str, key: str, value: str, sweep: bool | None) -> None:
    text = f"{lead}{key}" if lead == "~" else f"{lead}{key}={value}"
    of_sweeps = key in ("hydra/launcher", "hydra/sweeper", "hydra.sweep.dir")
    if key == "hydra.mode" or (of_sweeps and sweep is not False):
        with suppress(ConfigError):
            train.composed([text], sweep=sweep)
    else:
        assert all(fault and "\n" not in fault for fault in refused(text, sweep=sweep))
