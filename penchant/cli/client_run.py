"""`penchant client run`: take part in rounds, until told to stop."""

import signal
import threading
from types import FrameType
from typing import Annotated

import typer

from penchant.cli._client import Home, KeyFileOption, client_app, opened
from penchant.cli._output import DebugOption, Format, FormatOption, Output, QuietOption


@client_app.command()
def run(
    home: Home,
    key_file: KeyFileOption = None,
    until_final: Annotated[
        bool, typer.Option("--until-final", help="Leave once the federation's last head was taken.")
    ] = False,
    on_battery: Annotated[bool, typer.Option("--on-battery", help="Take part on battery too.")] = False,
    least_battery: Annotated[int, typer.Option(min=0, max=100, help="Least charge in percent.")] = 0,
    idle_below: Annotated[
        float, typer.Option(min=1, max=100, help="Most load of the processor in percent; 100 asks nothing.")
    ] = 100.0,
    metered: Annotated[bool, typer.Option("--metered", help="Take part on a metered network too.")] = False,
    fmt: FormatOption = Format.TABLE,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Take part in rounds while the person consents and the machine can spare it. Ends everything that it started."""
    from penchant.client.conditions import Conditions
    from penchant.client.device import StoredDevice
    from penchant.client.enrolment import Enrolment
    from penchant.client.participation import Participant, plan_of
    from penchant.client.running import Stay, Taker

    del debug
    output = Output(fmt, quiet=quiet)
    enrolment = Enrolment.existing(home)
    invitation = enrolment.invitation()
    plan = plan_of(invitation, epsilon_limit=None)
    conditions = Conditions(
        on_power=not on_battery, least_battery=least_battery, idle_below=idle_below, unmetered=not metered
    )
    stop = _stopped_by_signal()
    with opened(home, key_file) as store:
        device = StoredDevice(store, invitation, plan)
        participant = Participant(
            plan, device, enrolment, told=lambda what, round_: output.say(f"round {round_}: {what}")
        )
        output.say(f"{invitation.terms.name} at {invitation.terms.address}")
        taker = Taker(enrolment, device, participant, conditions)
        taker.stay(Stay(stop.is_set, until_final=until_final), final=lambda: participant.finished)
    head = enrolment.head(plan.shared)
    record = {"head_round": None if head is None else head.round, "final": bool(head and head.final)}
    output.result(record, f"{home}: {'no head yet' if head is None else f'head of round {head.round}'}")


def _stopped_by_signal() -> threading.Event:
    """Set by SIGINT or SIGTERM: what is on is finished, or thrown away, in order."""
    stop = threading.Event()

    def told(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()

    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, told)
    return stop
