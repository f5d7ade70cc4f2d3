"""Run a command, and turn errors into exit codes."""

import sys
from typing import Final

import click
import typer

from penchant.cli._app import app
from penchant.errors import PenchantError

_INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, which Typer returns rather than raises."""

_STOPPED: Final = "stopped; `--resume` goes on from the last finished round"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code (0, 1, 2, 3 or 4 as documented in docs/commands.md)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        outcome = app(arguments, standalone_mode=False)
        if outcome == _INTERRUPTED:
            return _explain(_STOPPED, _INTERRUPTED, debug=False)
        return outcome if isinstance(outcome, int) else 0
    except PenchantError as error:
        return _explain(str(error), error.exit_code, debug="--debug" in arguments)
    except click.ClickException as error:
        return _explain(error.format_message(), 2, debug=False)
    except click.exceptions.Abort:
        return _explain(_STOPPED, _INTERRUPTED, debug=False)
    except OSError as error:
        return _explain(f"{error.filename or ''}: {error.strerror or error}", 4, debug="--debug" in arguments)


def _explain(message: str, exit_code: int, *, debug: bool) -> int:
    if debug:
        raise
    typer.echo(f"penchant: {message}", err=True)
    return exit_code
