"""What the user reads at the end of a run."""

from __future__ import annotations

from training_hub.results.progress import duration
from training_hub.run import RunDir, TrainResult
from training_hub.terminal import say


def summarise(run: RunDir, result: TrainResult) -> None:
    """Draw the loss plot and print what came out and where it is."""
    from training_hub.results.plot import draw_losses

    try:
        plotted = draw_losses(run.read_metrics(), run.loss_plot)
    except OSError as error:  # the disk may be full, and the run is sound
        plotted = False
        say(f"no loss plot: {error.strerror}")
    say("\n".join(summary(run, result, plotted)))


def summary(run: RunDir, result: TrainResult, plotted: bool) -> list[str]:
    """The lines of a completed run's summary."""
    metrics = result.metrics
    lines = ["", f"completed in {duration(result.duration_s)} ({metrics.get('steps', 0):.0f} steps)"]
    lines += [f"stopped early: {result.stopped}", ""] if result.stopped else [""]
    for label, first, last in (
        ("loss", "first_loss", "final_loss"),
        ("eval loss", "eval_loss_before", "eval_loss_after"),
    ):
        if last in metrics:
            start = f"{metrics[first]:.4f} -> " if first in metrics else ""
            lines.append(f"  {label:<12}{start}{metrics[last]:.4f}")
    for sample in run.read_samples():
        lines += [
            "",
            f"  {sample['when']}: {sample['prompt']}",
            *(f"    {line}" for line in sample["answer"].splitlines()),
        ]
    lines += ["", f"  {'run':<12}{run.path}"]
    if result.checkpoint_path:
        lines.append(f"  {'checkpoint':<12}{result.checkpoint_path}")
    if result.best_checkpoint_path not in (None, result.checkpoint_path):
        lines.append(f"  {'best':<12}{result.best_checkpoint_path}")
    lines += [f"  {'loss plot':<12}{run.loss_plot}"] if plotted else []
    lines.append(f"  {'log':<12}{run.log}")
    return [*lines, *(f"  {'warning':<12}{text}" for text in result.warnings)]
