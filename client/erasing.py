"""Forget everything: the device's folder is emptied of all but what was spent."""

import shutil

from penchant.client.account import FILE, read_account, totals
from penchant.client.device_store import DeviceStore


def erase(store: DeviceStore) -> list[str]:
    """Withdraw, destroy the store's key, and remove every file but the account. Returns what cannot be undone.

    A training that is on stops, for consent is looked up again before anything leaves. What other processes were about
    to leave in the folder is removed too, or not written any more.
    """
    store.set_consent(False)
    home = store.home
    store.erase()
    while left := [path for path in home.iterdir() if path.name != FILE]:
        for path in left:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)  # a SuperNode on its way down may still write there
            else:
                path.unlink(missing_ok=True)
    return cannot_be_undone(sum(totals(read_account(home / FILE)).values()))


def cannot_be_undone(releases: int) -> list[str]:
    """releases: updates and counts that have left this device."""
    sent = (
        f"{releases} updates or counts left this device. They are part of what others have, and cannot be taken back; "
        "what they can tell about you is bounded by the epsilon that was spent."
        if releases
        else "No update and no count is on this device's account."
    )
    return [
        sent,
        "That budget stays spent: enrolling again in this folder goes on from it.",
        "Copies that a backup made are not reached, nor a key file, passphrase or keyring outside this folder.",
        "The server's owner still knows that this device was enrolled; ask them to revoke its key.",
    ]
