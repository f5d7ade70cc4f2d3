"""Who takes part in a round, and what the way they were drawn allows to claim."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from penchant.config import FederationSettings
from penchant.errors import BadInput
from penchant.rng import stream
from penchant.types import Sampling


class Roster(Protocol):
    """The people of a federation, and the nodes that they are reached at."""

    def people(self) -> Sequence[int]:
        """Everyone who could take part now."""
        ...

    def nodes(self, people: Sequence[int]) -> Mapping[int, tuple[int, ...]]:
        """Node id -> those of the people whom it hosts; an empty tuple where the node is the person."""
        ...


@dataclass(frozen=True, slots=True)
class Draw:
    """One round's people. Only the branch that threw a coin for each of a fixed population sets `rate`.

    rate: the chance with which each joined, whoever else did and whoever could be reached; None: no such coins.
    secret: the coins came from the operating system's generator and are known to nobody else.
    payers: pseudonyms of those who take part, where the ledger may name them; None: everybody pays.
    """

    people: list[int]
    rate: float | None = None
    secret: bool = False
    payers: tuple[str, ...] | None = None


def draw_cohort(
    people: Sequence[int],
    settings: FederationSettings,
    *,
    population: int,
    seed: int,
    round_: int,
    secret: bool,
) -> Draw:
    """Draw a round's people.

    population: how many people the federation is for, a public number that does not move with who is there.
    all: everyone.  fixed: `cohort` of them, without replacement; no amplification may be claimed.
    poisson: each joins independently with probability cohort / population; the cohort may be empty.
    rotation: person p takes part in every round r with (r - 1 - p) divisible by the number of groups, and pays by name.
    secret: draw from the operating system's generator, which a claim of amplification needs; else from the run's seed.
    """
    match settings.sampling:
        case Sampling.FIXED:
            return Draw(_fixed(people, settings, seed=seed, round_=round_))
        case Sampling.POISSON:
            return _poisson(
                people, poisson_rate(population, settings), seed=seed, round_=round_, secret=secret
            )
        case Sampling.ROTATION:
            groups = separation(population, settings)
            turn = [person for person in people if (round_ - 1 - person) % groups == 0]
            return Draw(turn, payers=tuple(map(str, turn)))
    return Draw(list(people))


def _fixed(people: Sequence[int], settings: FederationSettings, *, seed: int, round_: int) -> list[int]:
    size = min(settings.cohort or len(people), len(people))
    chosen = stream(seed, "cohort", round_).choice(np.asarray(people), size, replace=False)
    return sorted(chosen.tolist())


def _poisson(people: Sequence[int], rate: float, *, seed: int, round_: int, secret: bool) -> Draw:
    if secret:
        source = secrets.SystemRandom()
        return Draw([person for person in people if source.random() < rate], rate=rate, secret=True)
    chances = stream(seed, "cohort", round_).random(len(people))
    return Draw([p for p, chance in zip(people, chances, strict=True) if chance < rate], rate=rate)


def poisson_rate(population: int, settings: FederationSettings) -> float:
    """The chance with which each person joins a round. Raises: BadInput for a cohort of everyone or more."""
    if settings.cohort is None or settings.cohort >= population:
        raise BadInput(f"cohort {settings.cohort} of {population} people is everyone; use sampling all")
    return settings.cohort / population


def separation(population: int, settings: FederationSettings) -> int:
    """Rounds from one of a person's turns to the next: the number of groups under rotation, else 1."""
    if settings.sampling is not Sampling.ROTATION or settings.cohort is None:
        return 1
    return max(1, population // settings.cohort)


def expected_cohort(population: int, settings: FederationSettings) -> int:
    """The denominator of every round's mean: what is expected, never what came."""
    if settings.sampling is Sampling.ROTATION:
        return max(1, round(population / separation(population, settings)))
    return population if settings.cohort is None else min(settings.cohort, population)
