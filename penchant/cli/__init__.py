"""The command line. One command, one module; this package only joins them."""

from penchant.cli import _app, _main
from penchant.cli import data as _data  # noqa: F401

# Importing a command's module adds it to the application. One line each, in the order of `penchant --help`.
from penchant.cli import doctor as _doctor  # noqa: F401

app = _app.app
main = _main.main

__all__ = ["app", "main"]
