"""The settings of `report`."""

from __future__ import annotations

from training_hub.params import Checked, Text, param


class ReportSettings(Checked):
    """The settings of `report`."""

    output_path: Text | None = param("the page to write; null: report.html in the first DIR", default=None)
    watch: bool = param("serve the page on this machine and update it, like --watch", default=False)
    port: int = param("port on 127.0.0.1 for --watch; 0: any free port", default=8765, ge=0, le=65535)
