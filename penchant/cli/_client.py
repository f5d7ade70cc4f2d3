"""What the commands of a device share: their group, the device's folder, and what opens its store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from penchant.cli._app import app
from penchant.cli._passphrase import passphrase

if TYPE_CHECKING:
    from penchant.client.device_store import DeviceStore
    from penchant.client.sealing import Secret

client_app = typer.Typer(help="One person's device: store, consent, lists.", no_args_is_help=True)
app.add_typer(client_app, name="client")

Home = Annotated[Path, typer.Argument(help="The device's folder.", show_default=False)]
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        envvar="PENCHANT_KEY_FILE",
        help="A key file that opens the store, in place of a passphrase; `keyring:` for the system's keyring.",
        show_default=False,
    ),
]


_KEYRING: Final = Path("keyring:")


def secret(home: Path, key_file: Path | None, *, new: bool = False) -> "Secret":
    """What opens the store. new: a passphrase is asked twice, and a key made where there is none."""
    from penchant.client.keyring import keyring_key
    from penchant.client.sealing import KeyFile, Passphrase

    if key_file is None:
        return Passphrase(passphrase(new=new))
    if key_file == _KEYRING:
        return keyring_key(home, new=new)
    return KeyFile.new(key_file) if new and not key_file.exists() else KeyFile.read(key_file)


def opened(home: Path, key_file: Path | None) -> "DeviceStore":
    """The device's store. Raises: BadInput where there is none, or the secret does not open it."""
    from penchant.client.device_store import FILE, DeviceStore
    from penchant.errors import BadInput

    if not (home / FILE).is_file():
        raise BadInput(f"{home}: no device here; make one with `penchant client init {home}`")
    return DeviceStore.open(home, secret(home, key_file))
