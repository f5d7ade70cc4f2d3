"""`penchant client agent`: serve apps and the person on this machine."""

import json
import os
import secrets
import signal
import socket
from typing import Annotated

import typer

from penchant.cli._client import Home, KeyFileOption, client_app, secret
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption


@client_app.command()
def agent(
    home: Home,
    address: Annotated[
        str | None,
        typer.Option(
            help="unix:PATH or 127.0.0.1:PORT for apps; a socket in the device's folder unless given."
        ),
    ] = None,
    page_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the person's page; 0 takes a free one.")
    ] = 0,
    key_file: KeyFileOption = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Serve apps over gRPC and the person's page, on this machine alone, until stopped."""
    import uvicorn

    from penchant.client.adapting import Adapting
    from penchant.client.agent import serve
    from penchant.client.device_store import DeviceStore
    from penchant.client.page import page_app
    from penchant.client.person import Person
    from penchant.client.recommending import Recommender
    from penchant.rundir import write_atomically

    del debug
    opening = secret(home, key_file)
    address = address or f"unix:{home.resolve() / 'agent.sock'}"
    token = secrets.token_urlsafe(32)
    told = home / "agent.json"
    with DeviceStore.open(home, opening) as store:
        adapting = Adapting(home, opening)
        person = Person(store, changed=adapting.due, load=lambda: Recommender.of(store, apart=True))
        listening = socket.create_server(("127.0.0.1", page_port))
        page = f"http://127.0.0.1:{listening.getsockname()[1]}/?token={token}"
        server = serve(person, address, token=token)
        record = {"address": address, "token": token, "page": page, "pid": os.getpid()}
        write_atomically(told, json.dumps(record).encode() + b"\n")
        Output(fmt, quiet=quiet).result(record, f"apps: {address}, token in {told}\nyour page: {page}")
        for number in (
            signal.SIGINT,
            signal.SIGTERM,
        ):  # uvicorn ends its loop on them, then hands them on to us
            signal.signal(number, lambda *_: None)
        try:
            config = uvicorn.Config(page_app(person, token=token), log_level="warning", access_log=False)
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            adapting.close()
            server.stop(1).wait()
            told.unlink(missing_ok=True)
