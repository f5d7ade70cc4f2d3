"""What only the controller can say: for what, about whom, and who answers for it. A TOML file, signed off."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from penchant.config import Settings
from penchant.errors import BadInput


class Controller(Settings):
    """The fields of the statement that no measurement can fill. What is left out is shown as not filled in."""

    controller: str | None = None
    """Who decides about purposes and means."""

    contact: str | None = None
    """Where people turn to."""

    purpose: str | None = None
    """What the model is for."""

    population: str | None = None
    """Whose behaviour it learns from."""

    period: str | None = None
    """From when to when."""

    delta_reason: str | None = None
    """Why this delta is small enough."""

    erasure_requests: int | None = None
    """How many people asked to be erased since training."""

    signed_by: str | None = None
    """Name and role of whoever signs this statement off."""

    signed_on: str | None = None
    """Date of that, as YYYY-MM-DD."""


def read_controller(path: Path) -> Controller:
    """Raises: BadInput naming the file and the field."""
    try:
        return Controller.model_validate(_plain(tomllib.loads(path.read_text(encoding="utf-8"))))
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such file") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: not TOML ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """TOML has dates of its own; the statement prints them as they are."""
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in record.items()}
