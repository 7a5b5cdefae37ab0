# training_hub_anchor/trend.py
"""`trend DIR`: how the loss of a run has changed since its first step."""

from training_hub.command_line.verb import Call, Verb, Word
from training_hub.params import Checked, param


class TrendSettings(Checked):
    """The settings of `trend`."""

    last: int = param("how many of the newest rows of metrics to show", unit="rows", default=5, ge=1)


def run(call: Call) -> int:
    """Print the step and the loss of the newest rows; returns the exit status."""
    from training_hub.errors import ConfigError
    from training_hub.run import RunDir

    run = RunDir(call.words[0])
    if not run.exists():
        raise ConfigError(f"{call.words[0]}: no run is there; trend takes the folder of a run")
    rows = [row for row in run.read_metrics() if row.get("loss") is not None]
    for row in rows[-call.settings.last :]:
        print(f"step {row['step']}  loss {row['loss']:.4f}  {row['loss'] - rows[0]['loss']:+.4f} since the first")
    return 0


VERB = Verb(
    "show how the loss of a run has changed since its first step",
    run,
    words=(Word("DIR", "the folder of a run", completes="run"),),
    settings=TrendSettings,
)
