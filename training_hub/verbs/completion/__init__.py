"""`completion`: tab completion for the shell."""

from __future__ import annotations

from training_hub.command_line.verb import Call, Verb, Word


def run(call: Call) -> int:
    """Print the script, or for `query LINE BREAKS`, which that script calls, what may stand at the end of a line."""
    from training_hub.errors import ConfigError
    from training_hub.verbs.completion.shells import script

    shell, *line = call.words
    if shell != "query":
        if line:
            raise ConfigError(f"{line[0]}: means nothing here; write completion {shell}")
        print(script(shell), end="")
        return 0
    from training_hub.verbs.completion.query import replies

    print("\n".join(replies(line[0] if line else "", line[1] if len(line) > 1 else "")))
    return 0


VERB = Verb(
    'print a script that completes this program\'s commands: eval "$(training-hub completion bash)"',
    run,
    section="this machine",
    words=(Word("SHELL", "the name of a shell: bash", completes="bash"), Word("LINE", "", True, True, "")),
)
