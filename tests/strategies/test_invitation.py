"""An invitation says the same to everyone, and a damaged one is refused with the file's name."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from penchant.config import ModelSettings, TrainingSettings
from penchant.datasets import Dataset
from penchant.errors import BadInput
from penchant.strategies.invitation import Invitation, Terms, read_invitation
from penchant.types import NoiseAt, Unit


@pytest.fixture
def invitation(tiny: Dataset) -> Invitation:
    terms = Terms(
        name="films",
        address="localhost:9443",
        seed=3,
        rounds=5,
        population=8,
        model=ModelSettings(width=4),
        training=TrainingSettings(),
        unit=Unit.USER,
        noise_at=NoiseAt.SERVER,
        clip_bound=0.3,
        noise_multiplier=1.5,
        epsilon_limit=8.0,
        delta=1e-5,
    )
    vectors = np.arange(24, dtype=np.float32).reshape(12, 2)
    return Invitation(terms, b"-----BEGIN CERTIFICATE-----\n", tiny.catalogue, vectors)


def test_what_is_read_is_what_was_written(invitation: Invitation, tmp_path: Path) -> None:
    invitation.save(tmp_path)
    read = read_invitation(tmp_path)
    assert read.terms == invitation.terms
    assert read.catalogue.digest == invitation.catalogue.digest
    assert np.array_equal(read.vectors, invitation.vectors)
    assert read.digest == invitation.digest


def test_domains_travel_with_the_catalogue(invitation: Invitation, tmp_path: Path) -> None:
    several = replace(invitation.catalogue, domains=("films",) * 6 + ("books",) * 6)
    replace(invitation, catalogue=several).save(tmp_path)
    assert read_invitation(tmp_path).catalogue.domains == several.domains


def test_every_change_shows_in_the_digest(invitation: Invitation, tmp_path: Path) -> None:
    invitation.save(tmp_path)
    terms = json.loads((tmp_path / "terms.json").read_text())
    (tmp_path / "terms.json").write_text(json.dumps({**terms, "noise_multiplier": 1.4}))
    assert read_invitation(tmp_path).digest != invitation.digest


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("terms.json", b"{}", "not an invitation"),
        ("catalogue.json", b'{"item_ids": ["a"]}', "not an invitation"),
        ("items.safetensors", b"\x80\x04pickle", "not an invitation"),
        ("items.safetensors", save({"vectors": np.zeros((3, 2), np.float32)}), "items.safetensors"),
        ("items.safetensors", save({"vectors": np.full((12, 2), np.nan, np.float32)}), "NaN"),
        ("ca.pem", None, "ca.pem"),
    ],
)
def test_a_damaged_invitation_is_refused(
    invitation: Invitation, tmp_path: Path, file: str, content: bytes | None, told: str
) -> None:
    invitation.save(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(BadInput, match=told):
        read_invitation(tmp_path)
