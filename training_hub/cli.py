"""The command line: a verb, then overrides in Hydra's grammar. Hydra's own flags go to Hydra."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from textwrap import indent

from training_hub import telemetry, terminal, user
from training_hub.errors import ConfigError, HubError, enumerate_names, nearest, suggestion

VERBS = {
    "train": "train; the default verb",
    "resume": "resume DIR: resume the run or the sweep in that folder",
    "explain": "show what each parameter becomes in the backend, and where its value came from",
    "plan": "show everything that train would do; run and write nothing",
    "estimate": "estimate the memory of a run without loading the model; time=true: also how long it takes",
    "validate": "prepare the data and show it: counts, lengths, first rows with the trained tokens marked",
    "list": "list algorithms, backends and their pairs, and what this machine has for them",
    "export": "write a run's result as a plain model with a model card, adapters merged, and check it",
    "interpolate": "write a mixture of two checkpoints of one model",
    "plot": "draw metrics of a run, of several, or of a sweep",
    "report": "write one page that compares runs; --watch: serve it while they run",
    "doctor": "check this machine against what the chosen algorithm and backend need",
    "status": "show the state of a run, of the runs below a folder, or of those in outputs/",
    "cancel": "ask a run or a sweep to save and stop; --now: end it at once",
    "logs": "show the end of a run's log; -f: follow it; -n 100: show so many lines",
    "env": "create, list and remove environments for backends",
}
OF_SWEEPS = ("train", "explain", "plan")
OF_RUNS = ("status", "cancel", "logs")
# Verbs that take words first and then settings of their own, and the modules that have them.
OF_WORDS = {
    "export": "training_hub.verbs.export.write",
    "interpolate": "training_hub.verbs.export.write",
    "plot": "training_hub.verbs.plot",
    "report": "training_hub.verbs.report.write",
}
# Flags of Hydra's that take a value, and those that do not.
_VALUED = {"--cfg", "-c", "--info", "-i", "--package", "-p", "--config-dir", "-cd"}
_PLAIN = {"--hydra-help", "--resolve", "--run", "-r", "--multirun", "-m", "--shell-completion", "-sc"}
_SHOWN = {
    "--cfg": ("job", "hydra", "all"),
    "--info": ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
}
_SHORT = {"-c": "--cfg", "-i": "--info"}
_EXPERIMENTS = "its config is its own; use experiment=NAME with --config-dir DIR"
_HYDRAS_OTHERS = {
    **dict.fromkeys(("--config-name", "-cn", "--config-path", "-cp"), _EXPERIMENTS),
    "--experimental-rerun": "use resume DIR; what was typed is in DIR/overrides.yaml",
}
_ACTIONS = {"--cfg", "-c", "--info", "-i", "--hydra-help", "--multirun", "-m", "--shell-completion", "-sc"}
_HYDRAS = (_VALUED | _PLAIN) - {"--config-dir", "-cd", "--run", "-r"}

_DEBUG = "TRAINING_HUB_DEBUG"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Its exit status: 0; 1 the run failed; 2 wrong input; 75 or 130 stopped; 70 a bug of ours."""
    telemetry.switch_off(os.environ)
    user.complete(os.environ)
    words = list(sys.argv[1:] if arguments is None else arguments)
    with terminal.guarded() as lost, _debugging("--debug" in words):
        status = _status_of(words)
    return status or _of_lost_output(words, lost)


@contextmanager
def _debugging(asked: bool) -> Iterator[None]:
    """Have the processes that a verb starts show tracebacks too, where the flag asks for it."""
    before = os.environ.get(_DEBUG)
    if asked:
        os.environ[_DEBUG] = "1"
    try:
        yield
    finally:
        if asked:
            os.environ.pop(_DEBUG) if before is None else os.environ.update({_DEBUG: before})


def _of_lost_output(words: Sequence[str], lost: Sequence[OSError]) -> int:
    """1 where what a verb had to say could not be written; whoever trains, or has read enough, needs none of it."""
    verb = words[0] if words and words[0] in VERBS else "train"
    if not lost or isinstance(lost[0], BrokenPipeError) or verb in ("train", "resume"):
        return 0
    terminal.complain(f"standard output: {lost[0].strerror}; give it another file")
    return 1


def _status_of(words: Sequence[str]) -> int:
    debug = os.environ.get(_DEBUG, "0") not in ("", "0")
    try:
        return _dispatch([word for word in words if word != "--debug"])
    except HubError as error:
        if debug:
            traceback.print_exc()  # it ends with the message
        else:
            print(error, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        from training_hub import unexpected

        if debug:
            traceback.print_exc()
        print(unexpected.said_of(error, ["training_hub", *words]), file=sys.stderr)
        return unexpected.EXIT_STATUS


def _dispatch(words: list[str]) -> int:
    if words and words[0] in OF_RUNS and not {"--help", "-h"} & set(words):
        from training_hub.verbs import runs

        return runs.main(words[0], words[1:])
    if words[:1] == ["report"] and "--watch" in words:
        words = [*(word for word in words if word != "--watch"), "watch=true"]
    flags, overrides = _split(words)
    typed = bool(overrides) and "=" not in overrides[0] and not overrides[0].startswith(("+", "~"))
    verb = _verb(overrides) if typed else "train"
    folders, names = _folders(flags, verb), {flag for flag, _ in flags}
    if names & {"--version"}:
        from training_hub import __version__

        print(__version__)
        return 0
    if names & {"--help", "-h"}:
        print(_help(verb, overrides, folders))
        return 0
    if names & {"-m", "--multirun"} and verb != "train":
        return _for_every_job(verb, overrides, folders)
    if names & _HYDRAS:
        _refuse_mixed(verb if typed else "", names)
        _check_completion(names, overrides)
        if names & {"-m", "--multirun"}:
            return _sweep(overrides, folders)
        from training_hub.command_line.hydra_flags import hand_to_hydra

        return hand_to_hydra(flags, overrides, folders)
    return _run(verb, overrides, folders)


def _verb(words: list[str]) -> str:
    """The first word, taken out. ConfigError where it is no verb."""
    verb = words.pop(0)
    if verb not in VERBS:
        way = suggestion(verb, VERBS) or f"choose from {enumerate_names(VERBS)}, or write NAME=VALUE"
        raise ConfigError(f"{verb}: no such verb; {way}")
    return verb


def _refuse_late_verb(words: list[str]) -> None:
    if late := next((word for word in words if word in VERBS), None):
        others = " ".join(word for word in words if word != late)
        raise ConfigError(f"{late}: not a setting; a verb comes first: {late} {others}")


def _run(verb: str, overrides: list[str], folders: list[str]) -> int:
    """A verb for one run, or for those of the sweep that a file declares."""
    try:
        return _verbs()[verb](overrides, folders)
    except ConfigError as error:
        from training_hub.config.hydras import SweepDeclared

        if verb not in OF_SWEEPS or not isinstance(error, SweepDeclared):
            raise
    return _for_every_job(verb, overrides, folders)


def _folders(flags: list[tuple[str, str | None]], verb: str) -> list[str]:
    """The folders of `--config-dir`. ConfigError for one that Hydra would pass over, in whole or in part."""
    folders = [str(value) for flag, value in flags if flag in ("--config-dir", "-cd")]
    if folders and verb not in (*OF_WORDS, "list", "env"):  # which refuse any
        from training_hub.config.folders import refuse_unsound

        refuse_unsound(folders)
    return folders


def _help(verb: str, overrides: list[str], folders: list[str]) -> str:
    from training_hub.command_line import settings as words
    from training_hub.command_line.help import help_text

    if verb not in OF_WORDS:
        return help_text(VERBS, overrides, folders)
    module = import_module(OF_WORDS[verb])
    return words.help_of(verb, VERBS[verb], module.SETTINGS[verb], module.WORDS[verb])


def _refuse_mixed(verb: str, names: set[str]) -> None:
    """Refuse flags of Hydra's that would be ignored, or that would start what was not asked for."""
    actions = sorted(names & _ACTIONS)
    if not actions:
        raise ConfigError(f"{min(names & _HYDRAS)}: has no meaning alone; add --cfg job, or drop it")
    if len(actions) > 1:
        raise ConfigError(f"{actions[1]}: {actions[0]} is given as well; keep one of the two")
    if verb and actions[0] not in ("-m", "--multirun"):
        raise ConfigError(f"{verb}: {actions[0]} shows something and does nothing else; drop one of the two")


def _check_completion(names: set[str], overrides: list[str]) -> None:
    asked = {text.partition("=")[0] for text in overrides}
    if names & {"-sc", "--shell-completion"} and not asked & {"install", "uninstall", "query"}:
        raise ConfigError("--shell-completion: needs an action; add install=bash, uninstall=bash or query=bash")


def _for_every_job(verb: str, overrides: list[str], folders: list[str]) -> int:
    """A verb for all runs of a sweep; where their values are chosen while it runs, one that shows takes a sample."""
    from training_hub.sweeps.expand import read

    if verb not in OF_SWEEPS:
        raise ConfigError(f"{verb}: not for sweeps; drop -m")
    if verb != "explain":
        return (_plan_sweep if verb == "plan" else _sweep)(overrides, folders)
    asked = read(overrides, folders)
    for number, job in enumerate(asked.samples() if asked.chooses_values else asked.jobs()):
        print(f"{'' if number == 0 else chr(10)}# run {number + 1}: {' '.join(job)}")
        _explain(job, folders, sweep=None)
    return 0


def _plan_sweep(overrides: list[str], folders: list[str]) -> int:
    from training_hub.sweeps.front import planned_sweep
    from training_hub.verbs.plan.text import text_of

    sweep, plans = planned_sweep(overrides, folders), []
    for number, (job, planned) in enumerate(sweep.plans(), start=1):
        plans.append(planned)
        print(f"# run {number} of {len(sweep.jobs)}: {job.label}\n{text_of(planned)}\n")
    print(f"# sweep\n\nfolder\n  {sweep.directory.path}")
    if plugins := sweep.plugins():
        print(f"\n{plugins.rstrip()}")
    elif script := sweep.script(plans):
        print(f"\nscript\n{indent(script, '  ').rstrip()}")
    return 0


def _sweep(overrides: list[str], folders: list[str]) -> int:
    from training_hub.sweeps.expand import read

    asked = read(overrides, folders)
    if asked.plugin:
        from training_hub.sweeps.plugins import run_plugin_sweep

        return run_plugin_sweep(asked, overrides, folders)
    from training_hub.sweeps.front import run_sweep

    return run_sweep(asked, overrides, folders)


def _split(words: list[str]) -> tuple[list[tuple[str, str | None]], list[str]]:
    """Flags with their values, and the rest; in any order, which Hydra 1.3 does not allow."""
    flags: list[tuple[str, str | None]] = []
    rest: list[str] = []
    pending = list(words)
    while pending:
        word = pending.pop(0)
        if not word.startswith("-"):
            rest.append(word)
            continue
        name, equals, value = word.partition("=")
        if name in _VALUED:
            if not equals and not pending:
                raise ConfigError(f"{name}: is the last word, without its value; add it")
            flags.append((name, value if equals else pending.pop(0)))
            if name not in ("--config-dir", "-cd") and name in [flag for flag, _ in flags[:-1]]:
                raise ConfigError(f"{name}={flags[-1][1]}: {name} is given twice; keep one of the two")
            _check_shown(*flags[-1])
        elif name in _PLAIN | {"--help", "-h", "--version"}:
            flags.append((name, None))
        else:
            raise ConfigError(f"{word}: no such flag; {_way_out(name, value)}")
    return flags, rest


def _check_shown(flag: str, value: str | None) -> None:
    known = _SHOWN.get(_SHORT.get(flag, flag))
    if known and value not in known:
        way = suggestion(str(value), known) or f"choose from {', '.join(known)}"
        raise ConfigError(f"{flag} {value}: nothing to show of this name; {way}")


def _way_out(flag: str, value: str) -> str:
    """What may be meant by a flag that does not exist: other programs' settings are flags."""
    if flag in _HYDRAS_OTHERS:
        return _HYDRAS_OTHERS[flag]
    known = [*_VALUED, *_PLAIN, "--help", "--version", "--debug"]
    if close := nearest(flag.strip("-"), [each[2:] for each in known if each.startswith("--")]):
        return f"did you mean --{close}?"
    setting = flag.strip("-").replace("-", "_")
    return f"a setting has no dashes: {setting}={value}" if value and setting else "see --help"


def _verbs() -> dict[str, Callable[[list[str], list[str]], int]]:
    return {
        "train": _train,
        "resume": _resume,
        "explain": _explain,
        "plan": _plan,
        "estimate": _estimate,
        "validate": _validate,
        "list": _list,
        **{verb: partial(_with_words, verb) for verb in OF_WORDS},
        "doctor": _doctor,
        "env": _env,
    }


def _train(overrides: list[str], folders: list[str], sweep: bool | None = False) -> int:
    _refuse_late_verb(overrides)
    from training_hub import provenance, registered, train

    composition = train.composed(overrides, folders, sweep=sweep)
    if composition.classes.are_registered:
        print(registered.run(composition))
        return 0
    train.run(train.plan(composition), provenance.command_line())
    return 0


def _resume(overrides: list[str], folders: list[str]) -> int:
    from training_hub.resume import refuse_set_here, settings_of
    from training_hub.sweep_dir import SweepDir
    from training_hub.sweeps.again import command_of

    if not overrides or ("=" in overrides[0] and not Path(overrides[0]).is_dir()):
        raise ConfigError("resume: needs the folder of a run or a sweep")
    refuse_set_here(overrides[1:])
    if SweepDir(overrides[0]).exists():
        return _sweep(*command_of(overrides[0], overrides[1:], folders))
    return _train(*settings_of(overrides[0], overrides[1:], folders), sweep=None)


def _explain(overrides: list[str], folders: list[str], sweep: bool | None = False) -> int:
    from training_hub.verbs.explain.translation import explain

    print(explain(overrides, folders, sweep))
    return 0


def _plan(overrides: list[str], folders: list[str]) -> int:
    from training_hub.verbs.plan.text import plan_text

    print(plan_text(overrides, folders))
    return 0


def _estimate(overrides: list[str], folders: list[str]) -> int:
    from training_hub.verbs.estimate.answer import estimate

    return estimate(overrides, folders)


def _validate(overrides: list[str], folders: list[str]) -> int:
    from training_hub.verbs.validate.prepare import validate

    return validate(overrides, folders)


def _list(overrides: list[str], folders: list[str]) -> int:
    from training_hub.verbs.list.tables import listing

    if overrides or folders:
        raise ConfigError(f"{(overrides or folders)[0]}: list takes no settings; drop it")
    print(listing())
    return 0


def _with_words(verb: str, words: list[str], folders: list[str]) -> int:
    if folders:
        raise ConfigError(f"--config-dir={folders[0]}: {verb} reads no config groups; drop it")
    return int(getattr(import_module(OF_WORDS[verb]), verb)(words))


def _doctor(overrides: list[str], folders: list[str]) -> int:
    from training_hub.verbs.doctor.checkup import doctor

    text, healthy = doctor(overrides, folders)
    print(text)
    return 0 if healthy else 1


def _env(words: list[str], folders: list[str]) -> int:
    from training_hub.verbs.env.actions import env

    if folders:
        raise ConfigError(f"{folders[0]}: env takes no folder of configs; drop it")
    print(env(words))
    return 0
