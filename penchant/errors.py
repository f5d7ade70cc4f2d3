"""Errors that a person can act on: what was wrong, where, and the cure.

The command line turns each into its exit code; nothing here prints.
"""

from typing import ClassVar


class PenchantError(Exception):
    """Base of every error that Penchant raises on purpose. The message names the cure."""

    exit_code: ClassVar[int] = 2


class CheckFailed(PenchantError):
    """A check that the person asked for did not pass."""

    exit_code = 1


class BadInput(PenchantError):
    """A setting or a file that cannot be used as it is."""


class NotFinite(BadInput):
    """A tensor holds NaN or Inf."""


class BudgetExceeded(PenchantError):
    """The privacy budget would be exceeded; nothing was released."""

    exit_code = 3


class EnvironmentMissing(PenchantError):
    """The machine lacks something: a package, a file, disk space."""

    exit_code = 4
