"""The command line. One command, one module; this package only joins them."""

from penchant.cli import (  # noqa: F401 - importing a command's module adds it to the application
    _app,
    _main,
    audit,
    baselines,
    client_agent,
    client_choices,
    client_enroll,
    client_init,
    client_recommend,
    client_record,
    client_run,
    client_status,
    compare,
    data,
    doctor,
    evaluate,
    export,
    frontier,
    keys,
    plan,
    profile,
    recommend,
    report,
    server,
    server_clients,
    simulate,
)

app = _app.app
main = _main.main

__all__ = ["app", "main"]
