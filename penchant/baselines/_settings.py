"""The settings of a baseline: what tells it from any other, and the same baseline with some of them changed."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from penchant.baselines._protocol import Baseline
from penchant.errors import BadInput

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]


def settings(baseline: Baseline) -> dict[str, Any]:
    """What tells this baseline from any other: its class and its values, those of its parts too. JSON-ready."""
    values = {field.name: getattr(baseline, field.name) for field in fields(baseline)}
    return {"model": type(baseline).__name__, **{name: _plain(value) for name, value in values.items()}}


def changed(baseline: Baseline, texts: Mapping[str, str]) -> Baseline:
    """The baseline with these of its settings, each given as text; "none" for nothing.

    Raises: BadInput for a setting that it has not, or that does not take the value.
    """
    takes: dict[str, Any] = {
        one.name: one.type for one in fields(baseline) if not _is_part(getattr(baseline, one.name))
    }
    values = {}
    for name, text in texts.items():
        if name not in takes:
            known = ", ".join(takes) or "no settings of its own"
            raise BadInput(f"--set {name}={text}: {type(baseline).__name__} has {known}")
        try:
            values[name] = TypeAdapter(takes[name]).validate_python(None if text == "none" else text)
        except ValidationError as error:
            raise BadInput(f"--set {name}={text}: {error.errors()[0]['msg']}") from error
    try:
        found: Any = baseline
        made: Baseline = replace(found, **values)
    except ValueError as error:
        told = " ".join(f"{name}={text}" for name, text in texts.items())
        raise BadInput(f"--set {told}: {error}") from error
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return settings(value) if hasattr(value, "__dataclass_fields__") else value


def _is_part(value: Any) -> bool:
    return isinstance(value, tuple) or hasattr(value, "__dataclass_fields__")
