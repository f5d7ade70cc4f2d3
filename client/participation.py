"""The device's side of a round: consent, the own account, training, and what is kept of it."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol

import torch
from flwr.app import ConfigRecord, Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp

from penchant.client.adapter_training import train_adapter
from penchant.client.app import BUDGET_SPENT, ClientPlan, Person, answer
from penchant.client.budget import admit_charge
from penchant.client.enrolment import Enrolment, Head
from penchant.client.store import ClientStore, Erased, PersonalState, charged
from penchant.errors import BudgetExceeded, PenchantError
from penchant.interest import InterestModel, round_negatives
from penchant.privacy.noise import CryptographicNoise
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

    def sends(self, round_: int) -> None:
        """Note for the person, durably, that an update is about to leave."""
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
        app.train()(self._answered(self._train))
        app.query()(self._answered(self._take_final_head))
        return app

    def _answered(self, act: Callable[[TrainRequest], RecordDict]) -> Callable[[Message, Context], Message]:
        """Whatever happens there is a reply, and an error in it tells nothing about the person."""

        def handle(message: Message, context: Context) -> Message:
            del context
            try:
                return Message(act(read_request(self._plan.shared, message)), reply_to=message)
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
        self._charge_for_the_server(request, history)
        person = Person(history, self._device, lambda round_: CryptographicNoise())
        update = answer(self._plan, person, request)
        self._check_consent()
        self._device.sends(request.round)
        self._told("sent an update", request.round)
        return update_content(self._plan.shared, SummedUpdate(request.round, update))

    def _charge_for_the_server(self, request: TrainRequest, history: I32) -> None:
        """Where the server adds the noise, the device still accounts for what it gives. Never refunded.

        A server that crashed asks again for the same round, with the same head: the same history gives the same update,
        which tells nothing new and costs nothing. Anything else is a release of its own.
        Raises: BudgetExceeded, and nothing was trained.
        """
        guarantee, asked = self._plan.guarantee, _digest(request, history)
        if not guarantee.server_noise or (asked == self._charged and self._repeats):
            return
        state = self._device.load()
        admit_charge(state.charges, guarantee, epsilon_limit=self._plan.epsilon_limit, delta=self._plan.delta)
        self._device.save(PersonalState(state.adapter, charged(state.charges, guarantee.noise_multiplier)))
        self._charged = asked

    @property
    def _repeats(self) -> bool:
        """Whether training twice on the same gives the same."""
        training = self._plan.training
        return training.event_dropout == training.state_dropout == 0

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


def _digest(request: TrainRequest, history: I32) -> bytes:
    asked = hashlib.sha256(f"{request.round}".encode())
    asked.update(request.head.tobytes())
    asked.update(history.tobytes())
    return asked.digest()


class _NoConsent(PenchantError):
    """The person does not take part."""
