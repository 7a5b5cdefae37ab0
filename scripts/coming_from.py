"""Write the tables of docs/guides/coming-from.md from the names of other tools in training_hub/config/elsewhere.py.

Run it after a change of the table: python scripts/coming_from.py. A test compares the page with what it makes.
"""

from __future__ import annotations

from pathlib import Path

from training_hub.config.elsewhere import TOOLS, Tool, row

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guides" / "coming-from.md"
BEGIN = "<!-- tools: made by scripts/coming_from.py -->"
END = "<!-- end of the tools -->"


def updated(text: str) -> str:
    """The page with the tables of today. ValueError where a marker is missing."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    sections = "\n\n".join(map(_section, TOOLS))
    return f"{before}{BEGIN}\n\n{sections}\n\n{END}{after}"


def _section(tool: Tool) -> str:
    lines = [(tool.column, "here"), ("---", "---"), *map(row, tool.rows)]
    table = "\n".join(f"| {there} | {here} |" for there, here in lines)
    return "\n\n".join(filter(None, [f"## {tool.title}", tool.intro, table]))


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text()))
