"""Who takes part in a round."""

import secrets
from collections.abc import Mapping, Sequence
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


def choose_cohort(
    people: Sequence[int],
    settings: FederationSettings,
    *,
    population: int,
    seed: int,
    round_: int,
    secret: bool,
) -> list[int]:
    """Draw a round's people.

    population: how many people the federation is for, a public number that does not move with who is there.
    all: everyone.  fixed: `cohort` of them, without replacement; no amplification may be claimed.
    poisson: each joins independently with probability cohort / population; the cohort may be empty.
    secret: draw from the operating system's generator, which a claim of amplification needs; else from the run's seed.
    """
    if settings.cohort is None or settings.sampling is Sampling.ALL:
        return list(people)
    if settings.sampling is Sampling.FIXED:
        size = min(settings.cohort, len(people))
        return sorted(stream(seed, "cohort", round_).choice(np.asarray(people), size, replace=False).tolist())
    rate = poisson_rate(population, settings)
    if secret:
        source = secrets.SystemRandom()
        return [person for person in people if source.random() < rate]
    chances = stream(seed, "cohort", round_).random(len(people))
    return [person for person, chance in zip(people, chances, strict=True) if chance < rate]


def poisson_rate(population: int, settings: FederationSettings) -> float:
    """The chance with which each person joins a round. Raises: BadInput for a cohort of everyone or more."""
    if settings.cohort is None or settings.cohort >= population:
        raise BadInput(f"cohort {settings.cohort} of {population} people is everyone; use sampling all")
    return settings.cohort / population


def expected_cohort(population: int, settings: FederationSettings) -> int:
    """The denominator of every round's mean: what is expected, never what came."""
    return population if settings.cohort is None else min(settings.cohort, population)
