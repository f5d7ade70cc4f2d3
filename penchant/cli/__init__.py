"""The command line. One command, one module; this package only joins them."""

from penchant.cli._main import app, main

__all__ = ["app", "main"]
