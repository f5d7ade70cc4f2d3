"""`penchant client init`: a new device."""

from penchant.cli._client import Home, KeyFileOption, client_app, secret
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption


@client_app.command()
def init(
    home: Home,
    key_file: KeyFileOption = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Make an encrypted store for one person's events, adapter, account and choices."""
    from penchant.client.account import FILE as ACCOUNT
    from penchant.client.account import read_account
    from penchant.client.device_store import FILE, DeviceStore

    del debug
    spent = sum(steps for _, _, steps in read_account(home / ACCOUNT))
    DeviceStore.create(home, secret(home, key_file, new=True)).close()
    kept = f"\n{spent} releases before it still count: an erasure gives no fresh budget." if spent else ""
    Output(fmt, quiet=quiet).result(
        {"store": str(home / FILE), "releases_before": spent},
        f"{home / FILE}: encrypted, empty. Nothing trains before consent.{kept}",
    )
