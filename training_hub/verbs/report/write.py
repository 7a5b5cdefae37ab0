"""`report`: one page about runs, in a file or served while they go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training_hub.errors import ConfigError, enumerate_names, fault
from training_hub.installed.interpreter import install_command, missing_requirements
from training_hub.results.plot import one_line, place_faults
from training_hub.run import write_atomically
from training_hub.verbs.report.settings import ReportSettings

_REQUIRES = ("jinja2>=3.1", "plotly>=6")


def report(folders: Sequence[str], settings: ReportSettings) -> int:
    """Write the page, or serve it until Ctrl-C; returns the exit status. Everything wrong is a ConfigError."""
    if missing := missing_requirements(_REQUIRES):
        raise ConfigError(f"not installed: {enumerate_names(missing)}; {install_command(missing, None)}")
    from training_hub.verbs.report.gather import gather
    from training_hub.verbs.report.page import page
    from training_hub.verbs.report.watch import serve

    faults = _place_faults(settings)
    gathered = gather(folders)  # raises where there is nothing to tell of
    if faults:
        raise ConfigError(*faults)
    if settings.watch:
        return serve(folders, settings.port)
    path = Path(settings.output_path or Path(folders[0]) / "report.html").expanduser()
    with one_line(path):
        write_atomically(path, page(gathered))
    print(path)
    return 0


def _place_faults(settings: ReportSettings) -> list[str]:
    if not settings.watch and "port" in settings.model_fields_set:
        return [fault("port", settings.port, "nothing is served", "add --watch, or drop it")]
    if settings.output_path is None:
        return []
    path = Path(settings.output_path).expanduser()
    if settings.watch:
        return [fault("output_path", path, "what is served is not written", "drop it, or drop --watch")]
    return list(place_faults(path, [".html"]))
