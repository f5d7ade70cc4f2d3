"""`penchant client consent | prefer | erase`: what the person decides."""

from typing import Annotated

import typer

from penchant.cli._client import Home, KeyFileOption, client_app, opened
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption
from penchant.types import Kind


@client_app.command()
def consent(
    home: Home,
    give: Annotated[
        bool | None, typer.Option("--give/--withdraw", help="Take part in training, or not any more.")
    ] = None,
    key_file: KeyFileOption = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Say whether the person takes part in training, or change it. Withdrawal counts at once."""
    del debug
    with opened(home, key_file) as store:
        if give is not None:
            store.set_consent(give)
        consents = store.consents()
    shown = "takes part in training" if consents else "does not take part: nothing is trained, nothing leaves"
    Output(fmt, quiet=quiet).result({"consents": consents}, shown)


@client_app.command()
def prefer(
    home: Home,
    kind: Annotated[
        list[Kind] | None, typer.Option(help="A kind of event that counts; repeat it for more.")
    ] = None,
    block: Annotated[
        list[str] | None, typer.Option(help="A category that is never recommended; repeat it for more.")
    ] = None,
    age: Annotated[
        int | None, typer.Option(min=0, max=150, help="Age in years of who looks at the lists.")
    ] = None,
    age_limit: Annotated[
        list[str] | None,
        typer.Option(
            help="Least age for a category, as in Crime=16; repeat it for more.", show_default=False
        ),
    ] = None,
    keep_days: Annotated[int | None, typer.Option(min=1, help="Delete events that are older.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Forget the choices made before.")] = False,
    key_file: KeyFileOption = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Show or change what counts, what is hidden and how long events are kept. What is not named stays as it is."""
    from rich.table import Table

    from penchant.client.preferences import Preferences, read_age_limits

    del debug
    given = {
        "kinds": kind or None,
        "blocked_categories": block or None,
        "age": age,
        "age_limits": read_age_limits(age_limit) if age_limit else None,
        "retention_days": keep_days,
    }
    with opened(home, key_file) as store:
        before = Preferences() if reset else store.preferences()
        changed = {name: value for name, value in given.items() if value is not None}
        if changed or reset:
            store.set_preferences(Preferences.model_validate({**before.model_dump(), **changed}))
        chosen = store.preferences().model_dump(mode="json")
    table = Table(show_header=False)
    for name, value in chosen.items():
        if isinstance(value, dict):
            value = [f"{category} {age}" for category, age in value.items()]
        table.add_row(name.replace("_", " "), ", ".join(value) if isinstance(value, list) else str(value))
    Output(fmt, quiet=quiet).result(chosen, table)


@client_app.command()
def erase(
    home: Home,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    key_file: KeyFileOption = None,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Remove history, adapter, keys and enrolment; only the spent budget is kept."""
    from penchant.client.erasing import erase as erase_all

    del debug
    store = opened(home, key_file)
    if not yes:
        typer.confirm(f"Erase everything in {home}, for good?", abort=True, err=True)
    told = erase_all(store)
    shown = "\n".join(["Erased. What cannot be undone:", *(f"- {line}" for line in told)])
    Output(fmt, quiet=quiet).result({"erased": str(home), "cannot_be_undone": told}, shown)
