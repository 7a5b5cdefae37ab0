"""`list`: algorithms, backends and their pairs."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Verb


def run(_: Call) -> int:
    """Print the tables."""
    from training_hub.verbs.list.tables import listing

    print(listing())
    return 0


VERB = Verb(
    "list algorithms, backends and their pairs, and what this machine has for them", run, section="this machine"
)
