"""What a person can know about their own privacy: who asks, what left, what is spent and left."""

from dataclasses import dataclass

from penchant.client.account import FILE, read_account, totals
from penchant.client.device_store import DeviceStore, JournalEntry
from penchant.errors import BadInput
from penchant.privacy.exact_gaussian import exact_epsilon
from penchant.rundir import read_json

PROTECTS = {
    "user": "everything that you ever did",
    "event": "each single thing that you did",
    "none": "nothing: this federation is NOT PRIVATE",
}


@dataclass(frozen=True, slots=True)
class Federation:
    """The terms that were accepted.

    epsilon_limit: the most that it may spend of this device; None sets no limit.  counts: whether it counts, beside
    training, which items people have.
    """

    name: str
    address: str
    unit: str
    noise_at: str
    epsilon_limit: float | None
    delta: float
    counts: bool

    @property
    def protects(self) -> str:
        return PROTECTS[self.unit]

    @property
    def trusted(self) -> str:
        if self.counts:
            return "the server, which adds the noise: it is sent which items you have, once, to count them"
        if self.noise_at == "client":
            return "nobody: the noise is added here"
        return "the server, which adds the noise"


@dataclass(frozen=True, slots=True)
class PrivacyFacts:
    """consents: whether the person takes part.  releases: how often something left, for life.

    epsilon: spent for life, at the federation's delta; None where there is no federation to say a delta, or where it
    protects nobody.
    """

    federation: Federation | None
    consents: bool
    releases: int
    epsilon: float | None
    journal: tuple[JournalEntry, ...]

    @property
    def epsilon_left(self) -> float | None:
        """None where there is no limit to count to."""
        limit = self.federation.epsilon_limit if self.federation else None
        return None if limit is None or self.epsilon is None else max(0.0, limit - self.epsilon)


def privacy_facts(store: DeviceStore) -> PrivacyFacts:
    """Raises: BadInput where the account is damaged."""
    charges = totals(read_account(store.home / FILE))
    federation = read_federation(store)
    epsilon = None
    if federation is not None and federation.unit != "none":
        priced = [(z, steps) for (z, _), steps in charges.items()]
        epsilon = exact_epsilon(priced, delta=federation.delta)
    return PrivacyFacts(federation, store.consents(), sum(charges.values()), epsilon, tuple(store.journal()))


def read_federation(store: DeviceStore) -> Federation | None:
    """From the accepted invitation, without loading what training needs."""
    path = store.home / "invitation" / "terms.json"
    if not path.is_file():
        return None
    terms = read_json(path)
    try:
        named = {name: terms[name] for name in Federation.__slots__ if name != "counts"}
        return Federation(**named, counts=bool(terms.get("counting")))
    except KeyError as error:
        raise BadInput(f"{path}: no terms of this version ({error} is missing); enroll again") from error
