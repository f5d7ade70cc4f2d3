"""A device that has been enrolled with the tiny catalogue, and a head that came over the wire."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from penchant.client.device_store import DeviceStore
from penchant.client.enrolment import Enrolment, Head
from penchant.client.model_file import make
from penchant.client.participation import plan_of
from penchant.client.sealing import KeyFile
from penchant.client.store import PersonalState
from penchant.config import ModelSettings, TrainingSettings
from penchant.datasets import Dataset
from penchant.strategies.invitation import Invitation, Terms
from penchant.types import F32, NoiseAt, Unit
from tests.client.running_agent import Running, agent_at

KEY = KeyFile(b"0123456789abcdef" * 2)


@pytest.fixture
def invitation(tiny: Dataset) -> Invitation:
    """Item vectors say the genres and nothing else, so that a test can tell what is similar."""
    genres = sorted({genre for own in tiny.catalogue.categories for genre in own})
    vectors = np.array([[g in own for g in genres] for own in tiny.catalogue.categories], np.float32)
    terms = Terms(
        name="films",
        address="localhost:9443",
        seed=3,
        rounds=5,
        population=8,
        model=ModelSettings(width=len(genres), adapter_rank=2),
        training=TrainingSettings(max_history=10),
        unit=Unit.USER,
        noise_at=NoiseAt.SERVER,
        clip_bound=0.3,
        noise_multiplier=1.5,
        epsilon_limit=8.0,
        delta=1e-5,
    )
    return Invitation(terms, b"-----BEGIN CERTIFICATE-----\n", tiny.catalogue, vectors - vectors.mean(axis=0))


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyFile:
    """Opens `home`; the command line finds it."""
    (tmp_path / "key").write_bytes(KEY.content)
    (tmp_path / "key").chmod(0o600)
    monkeypatch.setenv("PENCHANT_KEY_FILE", str(tmp_path / "key"))
    return KEY


@pytest.fixture
def home(tmp_path: Path, invitation: Invitation) -> Path:
    """An enrolled device with an empty store and no head yet. `key_file` opens it."""
    DeviceStore.create(tmp_path / "device", KEY).close()
    Enrolment(tmp_path / "device").join(invitation)
    return tmp_path / "device"


@pytest.fixture
def receive(home: Path, invitation: Invitation) -> Callable[[int], F32]:
    """Let a head arrive: text similarity, moved a little, another for each round."""
    plan = plan_of(invitation, epsilon_limit=None)
    start = plan.shared.read(plan.model)

    def arrive(round_: int) -> F32:
        moved = start + np.random.default_rng(round_).normal(0, 0.001, len(start)).astype(np.float32)
        Enrolment(home).keep_head(plan.shared, Head(round_, moved, final=False))
        return moved

    return arrive


@pytest.fixture
def agent(home: Path, key_file: KeyFile, receive: Callable[[int], F32]) -> Iterator[Running]:
    """An agent for a device that has given two updates and has one entry in its journal."""
    receive(1)
    with DeviceStore.open(home, key_file) as store:
        store.note("sent", round=1, federation="films", numbers=99)
        initial = np.zeros(3, np.float32)
        store.personal(initial, belongs_to="x").save(PersonalState(initial, ((1.5, 1.0, 2),)))
    make(home)  # here PyTorch is loaded already
    with agent_at(home) as running:
        yield running
