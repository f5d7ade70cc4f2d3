"""The command line. One command, one module; this package only joins them."""

from penchant.cli import _app, _main

# Importing a command's module adds it to the application. One line each, in the order of `penchant --help`.

app = _app.app
main = _main.main

__all__ = ["app", "main"]
