"""The command ``llm-vcr``: look into recordings, compare, check, repair, prune and move them.

One file a command, imported when it is asked for. Exit status: 0; 1 where something was found (a secret, a difference, a miss); 2 for
wrong usage, and where something could not be read or written; 130 where it was interrupted. With ``--json``, standard output is one JSON
document whatever happens: where the command cannot be done, ``{"error": "…"}``.
"""

from __future__ import annotations

import difflib
import errno
import importlib
import sys

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
        return [*_COMMANDS]  # `list` is a module in here, once its command was asked for

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

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # What stands behind `--` is pytest's.
        ctx.meta[_AS_JSON] = "--json" in args[: args.index("--") if "--" in args else None]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        for stream in (sys.stdout, sys.stderr):
            # Half of a surrogate pair in a model's answer, or a sign that a terminal lacks, is shown as its escape.
            if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
                reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            failure = error
        except LlmVcrError as error:
            failure = click.UsageError(str(error))
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read the output has seen enough; click ends quietly
                raise
            where = f"{error.filename}: " if error.filename else ""
            failure = click.UsageError(f"{where}{error.strerror or error}")
        except KeyboardInterrupt:
            failure = _Interrupted("interrupted: every cassette is what it was, or what it was to become")
        from llm_vcr.cli.screen import plain, write_json

        if (told := plain(failure.message)) != failure.message:
            failure = click.UsageError(told)
        if ctx.meta[_AS_JSON]:
            write_json({"error": failure.format_message()})
        raise failure


class _Interrupted(click.ClickException):
    exit_code = 130


_AS_JSON = "llm_vcr.json"
"""Whether the command was asked for JSON, which click does not know where its arguments are wrong."""


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="llm-vcr-rs", prog_name="llm-vcr")
def main() -> None:
    """Look into the recordings of LLM calls, compare, check, repair, prune and move them.

    Nothing here calls a provider, except `record` and `refresh`.
    """
