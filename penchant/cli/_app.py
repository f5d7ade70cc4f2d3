"""The Typer application that every command joins."""

import typer

app = typer.Typer(
    name="penchant",
    help="Learn what people like without collecting what they do.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _penchant() -> None:
    """Learn what people like without collecting what they do."""
