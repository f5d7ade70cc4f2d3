"""What the `penchant` command starts: the command line, or the word of what it needs."""

import sys


def main() -> int:
    """The command's exit code; 4 where only `penchant[score]` is installed, which brings no command line."""
    try:
        from penchant import cli
    except ModuleNotFoundError as error:
        told = f"penchant: {error.name} is missing: pip install 'penchant[client]' or 'penchant[simulation]'"
        print(told, file=sys.stderr)
        return 4
    return cli.main()
