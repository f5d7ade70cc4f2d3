"""The system's keyring as the place of a store's key: optional, `pip install 'penchant[keyring]'`."""

import os
from pathlib import Path
from typing import Final

from penchant.client.sealing import KeyFile
from penchant.errors import BadInput, EnvironmentMissing

_SERVICE: Final = "penchant"
_BYTES: Final = 32


def keyring_key(home: Path, *, new: bool = False) -> KeyFile:
    """The key that the keyring holds for the device in `home`. new: one is made and kept there where there is none.

    Raises: EnvironmentMissing where there is no keyring, or it stays locked; BadInput where it holds no key for `home`.
    """
    try:
        import keyring
        from keyring.errors import KeyringError
    except ModuleNotFoundError as error:
        raise EnvironmentMissing("the system's keyring needs: pip install 'penchant[keyring]'") from error
    device = str(home.resolve())
    try:
        found = keyring.get_password(_SERVICE, device)
        if found is None and new:
            found = os.urandom(_BYTES).hex()
            keyring.set_password(_SERVICE, device, found)
    except KeyringError as error:
        raise EnvironmentMissing(
            f"the system's keyring does not answer ({type(error).__name__}: {error}); "
            "unlock it, or use a passphrase or a key file"
        ) from error
    if found is None:
        raise BadInput(
            f"the system's keyring holds no key for {device}: was this store made with another secret, or moved?"
        )
    return KeyFile(bytes.fromhex(found))
