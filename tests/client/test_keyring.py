"""The system's keyring opens a store; where there is none, that is said and nothing is made."""

import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from penchant.cli import main
from penchant.client.keyring import keyring_key
from penchant.errors import BadInput, EnvironmentMissing


class InMemory(KeyringBackend):
    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture(autouse=True)
def backend() -> Iterator[InMemory]:
    before, ours = keyring.get_keyring(), InMemory()
    keyring.set_keyring(ours)
    yield ours
    keyring.set_keyring(before)


def test_a_store_opens_with_the_key_that_the_keyring_holds(tmp_path: Path, backend: InMemory) -> None:
    device = str(tmp_path / "device")
    assert main(["client", "init", device, "--key-file", "keyring:", "--quiet"]) == 0
    assert list(backend.kept) == [("penchant", device)]
    assert main(["client", "consent", device, "--key-file", "keyring:", "--quiet"]) == 0
    backend.kept["penchant", device] = "00" * 32
    assert main(["client", "consent", device, "--key-file", "keyring:", "--quiet"]) == 2


def test_a_key_that_is_not_there_is_not_made_for_an_existing_store(tmp_path: Path, backend: InMemory) -> None:
    with pytest.raises(BadInput, match="holds no key"):
        keyring_key(tmp_path)
    assert backend.kept == {}


def test_without_a_keyring_nothing_is_made_and_the_cure_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    assert main(["client", "init", str(tmp_path / "device"), "--key-file", "keyring:"]) == 4
    assert "use a passphrase or a key file" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "device").exists()
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(EnvironmentMissing, match=r"penchant\[keyring\]"):
        keyring_key(tmp_path, new=True)
