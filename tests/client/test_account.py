"""One account, one unit: what protects an event and what protects a person are never added up."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from penchant.cli import main
from penchant.client.account import FILE, claim_account, read_account, write_account
from penchant.client.device import StoredDevice
from penchant.client.device_store import DeviceStore
from penchant.client.participation import plan_of
from penchant.client.sealing import KeyFile
from penchant.client.store import Erased
from penchant.errors import BadInput
from penchant.strategies.invitation import Invitation
from penchant.types import F32, Unit


def test_an_account_counts_the_unit_that_claimed_it_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / FILE
    write_account(path, ((1.5, 1.0, 2),))
    claim_account(path, Unit.USER)
    claim_account(path, Unit.USER)
    write_account(path, ((1.5, 1.0, 3),))
    assert read_account(path) == ((1.5, 1.0, 3),)
    with pytest.raises(BadInput, match="protects one user, this federation protects one event"):
        claim_account(path, Unit.EVENT)


def test_a_federation_of_another_unit_is_refused_after_an_erasure_too(
    tmp_path: Path, invitation: Invitation, key_file: KeyFile, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "device"
    assert main(["client", "init", str(home), "--quiet"]) == 0
    for unit, code in ((Unit.USER, 0), (Unit.EVENT, 2)):
        offered = replace(invitation, terms=invitation.terms.model_copy(update={"unit": unit}))
        offered.save(tmp_path / unit)
        assert main(["client", "enroll", str(home), "--invitation", str(tmp_path / unit), "--quiet"]) == code
        if unit is Unit.EVENT:
            assert "one epsilon cannot stand for both" in capsys.readouterr().err
            assert not (home / "node.key").exists()
            with DeviceStore.open(home, key_file) as store, pytest.raises(BadInput, match="one event"):
                StoredDevice(store, offered, plan_of(offered, epsilon_limit=None))
        else:
            assert main(["client", "erase", str(home), "--yes", "--quiet"]) == 0
            assert main(["client", "init", str(home), "--quiet"]) == 0


def test_nothing_is_written_for_a_device_that_another_process_erased(
    home: Path, key_file: KeyFile, invitation: Invitation, receive: Callable[[int], F32]
) -> None:
    receive(1)
    with DeviceStore.open(home, key_file) as store:
        assert main(["client", "erase", str(home), "--yes", "--quiet"]) == 0
        with pytest.raises(Erased), store.unerased():
            (home / "head.safetensors").write_bytes(b"late")
    assert {file.name for file in home.iterdir()} <= {FILE}
