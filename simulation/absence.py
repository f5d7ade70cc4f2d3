"""Clients that do not answer: a seeded schedule, the same on every engine."""

from collections.abc import Callable

from flwr.app import ConfigRecord, Message

from penchant.rng import stream

Absence = Callable[[int], frozenset[int]]
"""round -> the people who train nothing and send nothing in it."""


def nobody(round_: int) -> frozenset[int]:
    """The schedule in which everyone answers."""
    del round_
    return frozenset()


def schedule(rate: float, *, n_people: int, seed: int) -> Absence:
    """Each person is away from each round with chance `rate`, independently. A function of the seed alone."""
    if rate == 0:
        return nobody

    def away(round_: int) -> frozenset[int]:
        chances = stream(seed, "absence", round_).random(n_people)
        return frozenset((chances < rate).nonzero()[0].tolist())

    return away


def round_of(message: Message) -> int:
    """The round that a request is for; 0 where it names none."""
    asked = message.content.config_records.get("config", ConfigRecord()).get("round", 0)
    return asked if isinstance(asked, int) else 0
