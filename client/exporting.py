"""From the head that came last to the file that the device recommends from, and to an adapter of it."""

from pathlib import Path

from penchant.client.adapter_training import train_adapter
from penchant.client.device_store import DeviceStore
from penchant.client.enrolment import Enrolment
from penchant.client.model_file import FILE
from penchant.client.participation import plan_of
from penchant.client.score_graph import write_score_graph
from penchant.interest import round_negatives


def export_current(home: Path, *, origin: str) -> None:
    """Write the model of the newest head and the company that was counted; where neither has come, texts decide."""
    enrolment = Enrolment(home)
    invitation = enrolment.invitation()
    plan = plan_of(invitation, epsilon_limit=None)
    head = enrolment.head(plan.shared)
    if head is not None:
        plan.shared.write(plan.model, head.values)
    counting = plan.counting
    write_score_graph(
        home / FILE,
        plan.model,
        invitation.catalogue,
        max_history=plan.training.max_history,
        origin=origin,
        belongs_to=invitation.digest,
        company=enrolment.company(counting) if counting else None,
        head_weight=counting.settings.head_weight if counting else 0.0,
    )


def adapt(store: DeviceStore) -> bool:
    """Train the adapter on the history as it is now. Nothing of it leaves, and no budget is spent.

    Returns whether it was trained: not without consent, a head, or two events that count.
    Raises: BadInput where the device has no invitation.
    """
    enrolment = Enrolment(store.home)
    invitation = enrolment.invitation()
    plan = plan_of(invitation, epsilon_limit=None)
    head = enrolment.head(plan.shared)
    history = store.history(invitation.catalogue.index)
    if head is None or len(history) < 2 or not store.consents():
        return False
    initial = plan.personal.read(plan.model)
    plan.shared.write(plan.model, head.values)
    adapter = train_adapter(
        plan.model,
        store.personal(initial, belongs_to=invitation.digest).load().adapter,
        history,
        layout=plan.personal,
        steps=plan.training.final_adapter_steps,
        settings=plan.training,
        negatives=round_negatives(
            plan.model.n_items, plan.training.negatives, seed=plan.seed, round_=head.round + 1
        ),
    )
    if not store.consents():
        return False
    store.keep_adapter(adapter, belongs_to=invitation.digest)
    return True
