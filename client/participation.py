"""The device's side of a round: consent, the own account, training, and what is kept of it."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final, Protocol

import torch
from flwr.app import ConfigRecord, Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp

from penchant.client.adapter_training import train_adapter
from penchant.client.app import BUDGET_SPENT, ClientPlan, Person, answer
from penchant.client.budget import admit_charge
from penchant.client.counting import count
from penchant.client.enrolment import Enrolment, Head
from penchant.client.store import ClientStore, Erased, PersonalState, charged
from penchant.errors import BudgetExceeded, PenchantError
from penchant.interest import InterestModel, round_negatives
from penchant.privacy.noise import CryptographicNoise
from penchant.strategies.counting import CountingTerms, What
from penchant.strategies.guarantee import Guarantee
from penchant.strategies.hand_out import read_company
from penchant.strategies.invitation import Invitation
from penchant.strategies.wire import SummedUpdate, TrainRequest, read_request, update_content
from penchant.types import I32

NO_CONSENT: Final = 4002
"""Flower error code of a client whose person does not take part, or stopped taking part in the middle."""

FAILED: Final = 4000
"""Flower error code of a client that could not train. It tells the kind of error and nothing else."""


class Device(ClientStore, Protocol):
    """One person's store, and what the person wants."""

    def history(self) -> I32:
        """int32[n_events], catalogue indices in order of time: what may be trained on."""
        ...

    def consents(self) -> bool:
        """Whether the person takes part, now."""
        ...

    def unerased(self) -> AbstractContextManager[None]:
        """What is written to the device's folder in the block, an erasure finds. Raises: Erased after one."""
        ...

    def sends(self, what: str, **detail: Any) -> None:
        """Note for the person, durably, what is about to leave."""
        ...


def plan_of(invitation: Invitation, *, epsilon_limit: float | None) -> ClientPlan:
    """What the federation's terms mean on this device. epsilon_limit: the person's own; the lower of two holds."""
    terms = invitation.terms
    limits = [limit for limit in (epsilon_limit, terms.epsilon_limit) if limit is not None]
    return ClientPlan(
        InterestModel(invitation.vectors, terms.model, seed=terms.seed),
        terms.training,
        terms.guarantee,
        min(limits, default=None),
        terms.delta,
        terms.seed,
        counting=terms.counting,
    )


class Participant:
    """Answers rounds from one person's store. Nothing leaves without consent before and after the training."""

    def __init__(
        self,
        plan: ClientPlan,
        device: Device,
        enrolment: Enrolment,
        *,
        told: Callable[[str, int], None] = lambda what, round_: None,
    ) -> None:
        """told: what happened in which round, for the device's own log."""
        self._plan, self._device, self._enrolment, self._told = plan, device, enrolment, told
        self._charged = b""
        self.finished = False
        """Whether the final head came while this process ran."""

    def app(self) -> ClientApp:
        app = ClientApp()
        heads, counting = self._plan.shared, self._plan.counting
        app.train()(self._answered(lambda asked: self._train(read_request(heads, asked))))
        app.query()(self._answered(lambda asked: self._take_final_head(read_request(heads, asked))))
        if counting is not None:
            app.query("company")(self._answered(partial(self._take_company, counting)))
            for what in counting.guarantees:
                app.train(what.value)(self._answered(partial(self._count, counting, what)))
        return app

    def _answered(self, act: Callable[[Message], RecordDict]) -> Callable[[Message, Context], Message]:
        """Whatever happens there is a reply, and an error in it tells nothing about the person."""

        def handle(message: Message, context: Context) -> Message:
            del context
            try:
                return Message(act(message), reply_to=message)
            except (_NoConsent, Erased):
                return Message(Error(NO_CONSENT, "does not take part"), reply_to=message)
            except BudgetExceeded:
                return Message(Error(BUDGET_SPENT, "has spent its budget"), reply_to=message)
            except Exception as error:  # the server waits for a reply, and must not learn more than this
                self._told(f"failed: {error!r}", 0)
                return Message(Error(FAILED, type(error).__name__), reply_to=message)

        return handle

    def _train(self, request: TrainRequest) -> RecordDict:
        self._check_consent()
        self._keep(request, final=False)
        history = self._device.history()
        if self._plan.guarantee.server_noise:
            asked = b"" if self._differs else _digest("update", request, history)
            self._charge_for_the_server(self._plan.guarantee, asked)
        person = Person(history, self._device, lambda round_: CryptographicNoise())
        update = answer(self._plan, person, request)
        self._check_consent()
        self._device.sends("sent an update", round=request.round)
        self._told("sent an update", request.round)
        return update_content(self._plan.shared, SummedUpdate(request.round, update))

    def _count(self, terms: CountingTerms, what: What, message: Message) -> RecordDict:
        """Say what the person adds to a count; it was bounded here, and the server adds the noise."""
        request, guarantee = read_request(terms.told(what), message), terms.guarantee(what)
        self._check_consent()
        history = self._device.history()
        if guarantee.server_noise:
            self._charge_for_the_server(guarantee, _digest(what, request, history))
        counts = count(terms, what, history, request, self._plan.read)
        self._check_consent()
        self._device.sends(f"sent what was counted: {what}")
        self._told(f"sent what was counted: {what}", 0)
        return update_content(terms.layout(what), SummedUpdate(request.round, counts))

    def _take_company(self, terms: CountingTerms, message: Message) -> RecordDict:
        """Keep what everybody's counts let conclude: lists are made from it at once."""
        content = read_company(message, terms)
        with self._device.unerased():
            self._enrolment.keep_company(content)
        self._told("took the company that was counted", 0)
        return RecordDict({"config": ConfigRecord({})})

    def _charge_for_the_server(self, guarantee: Guarantee, asked: bytes) -> None:
        """Where the server adds the noise, the device still accounts for what it gives. Never refunded.

        A server that crashed asks again for the same round, with the same head: the same history gives the same update,
        which tells nothing new and costs nothing. Anything else is a release of its own.
        asked: names what is given; empty where the same question would be answered with something else.
        Raises: BudgetExceeded, and nothing was trained.
        """
        if asked and asked == self._charged:
            return
        state = self._device.load()
        admit_charge(state.charges, guarantee, epsilon_limit=self._plan.epsilon_limit, delta=self._plan.delta)
        self._device.save(PersonalState(state.adapter, charged(state.charges, guarantee.noise_multiplier)))
        self._charged = asked

    @property
    def _differs(self) -> bool:
        """Whether training twice on the same gives something else each time."""
        training = self._plan.training
        return training.event_dropout > 0 or training.state_dropout > 0

    def _take_final_head(self, request: TrainRequest) -> RecordDict:
        """Keep the last head and train the own adapter on it. Nothing that was learned leaves."""
        before = self._enrolment.head(self._plan.shared)
        self._keep(request, final=True)
        again = before is not None and before.final and before.round == request.round
        if not again and self._device.consents():
            self._personalise(request)
        self.finished = True
        self._told("took the final head", request.round)
        return RecordDict({"config": ConfigRecord({"round": request.round})})

    def _personalise(self, request: TrainRequest) -> None:
        plan, state = self._plan, self._device.load()
        plan.shared.write(plan.model, request.head)
        adapter = train_adapter(
            plan.model,
            state.adapter,
            self._device.history(),
            layout=plan.personal,
            steps=plan.training.final_adapter_steps,
            settings=plan.training,
            negatives=self._negatives(request.round + 1),
        )
        self._device.save(PersonalState(adapter, state.charges))

    def _negatives(self, round_: int) -> torch.Tensor:
        plan = self._plan
        return round_negatives(plan.model.n_items, plan.training.negatives, seed=plan.seed, round_=round_)

    def _keep(self, request: TrainRequest, *, final: bool) -> None:
        with self._device.unerased():
            self._enrolment.keep_head(self._plan.shared, Head(request.round, request.head, final))

    def _check_consent(self) -> None:
        if not self._device.consents():
            raise _NoConsent


def _digest(what: str, request: TrainRequest, history: I32) -> bytes:
    asked = hashlib.sha256(f"{what} {request.round}".encode())
    asked.update(request.head.tobytes())
    asked.update(history.tobytes())
    return asked.digest()


class _NoConsent(PenchantError):
    """The person does not take part."""
