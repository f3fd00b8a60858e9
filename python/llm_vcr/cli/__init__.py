"""The command ``llm-vcr``: look into recordings, compare, check, repair, prune and move them.

One file a command, imported when it is asked for. Exit status: 0; 1 where something was found (a secret, a difference, a miss); 2 for
wrong usage, and where a cassette could not be read.
"""

from __future__ import annotations

import difflib
import importlib

import click

from llm_vcr.errors import LlmVcrError

# In the order of the help: what looks, what checks, what changes, what moves.
_COMMANDS = {
    "list": "list",
    "show": "show",
    "stats": "stats",
    "report": "report",
    "diff": "diff",
    "explain": "explain",
    "scan": "scan",
    "doctor": "doctor",
    "clear": "clear",
    "flush": "flush",
    "normalize": "normalize",
    "prune": "prune",
    "dedupe": "dedupe",
    "export": "export",
    "import": "import_",
    "record": "record",
    "refresh": "refresh",
    "demo": "demo",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"llm_vcr.cli.{_COMMANDS[cmd_name]}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            near = difflib.get_close_matches(args[0], _COMMANDS, 1)
            ctx.fail(
                f"there is no command {args[0]!r}" + (f"; did you mean {near[0]!r}?" if near else f": it is one of {', '.join(_COMMANDS)}")
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except LlmVcrError as error:
            raise click.UsageError(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="llm-vcr-rs", prog_name="llm-vcr")
def main() -> None:
    """Look into the recordings of LLM calls, compare, check, repair, prune and move them.

    Nothing here calls a provider, except `record`.
    """
