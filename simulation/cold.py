"""How a finished run serves strangers, beside references that know as much. Simulation only."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from penchant.baselines import (
    DomainReferences,
    Fits,
    Reference,
    Rehearsal,
    Reveal,
    StrangerReferences,
    code_digest,
    new_item_references,
)
from penchant.behaviours import Behaviours
from penchant.cold import ColdStart, ScoreHistories, Strangers
from penchant.errors import BadInput
from penchant.rundir import read_json, write_json
from penchant.simulation.run import FinishedRun
from penchant.simulation.world import World
from penchant.types import F32, I64, Bool

Record = dict[str, Any]


class Cold(StrEnum):
    """Who or what is new."""

    PEOPLE = "people"
    ITEMS = "items"
    DOMAIN = "domain"


@dataclass(frozen=True)
class Question:
    """Who or what is new; how many first events of new people are known; whether references are tuned to that.

    folder: where the references' figures are kept, so that the next run on the same people need not wait for them.
    done: told of each finished row.
    """

    which: Cold
    shots: Sequence[int] = (0, 1, 3, 5, 10)
    tune: bool = True
    folder: Path | None = None
    done: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Row:
    """One number of known events. reference: the fitted references, made when they are asked for."""

    name: str
    strangers: Strangers
    references: Callable[[], Iterable[Reference]]


def serve_strangers(finished: FinishedRun, question: Question) -> tuple[Record, Record]:
    """`figures[shots][model][metric]` and `settings[shots][reference]`; for new items the shots are "all".

    Where the run has adapters, each stranger has one, trained on what is known of them as a device would; people for
    whom items are new have their own. References are tuned on warm people in the strangers' place, after the same
    number of known events; never on the strangers.
    Raises: BadInput where the run kept nothing out.
    """
    world, own = finished.world, _own_scores(finished, question.which)
    figures, chosen = {}, {}
    for row in _rows(world, question):
        beside = _remembered(row, world, question)
        figures[row.name] = {"penchant": row.strangers.measure(own), **beside["figures"]}
        chosen[row.name] = beside["settings"]
        question.done()
    return figures, chosen


def _rows(world: World, question: Question) -> Iterator[Row]:
    cold, train, vectors = _kept_out(world, question.which), world.split.train, world.items.vectors
    if question.which is Cold.ITEMS:
        yield Row(
            "all",
            cold.new_items(train).among(world.target),
            lambda: new_item_references(train, vectors, cold.cold_items, tune=question.tune),
        )
        return
    references = _references(world, _revealing(cold, world, question.which), question)
    for shots in question.shots:
        strangers = _revealing(cold, world, question.which)(cold.people, shots)
        yield Row(str(shots), strangers, partial(references.after, shots))


def _revealing(cold: ColdStart, world: World, which: Cold) -> Reveal:
    if which is Cold.DOMAIN:
        return partial(cold.reveal, target=world.target)
    return lambda people, shots: cold.reveal(people, shots).among(world.target)


def _references(world: World, reveal: Reveal, question: Question) -> StrangerReferences | DomainReferences:
    def told_of(inside: Bool | None) -> StrangerReferences:
        train, vectors = world.split.train, world.items.vectors
        rehearsal = Rehearsal.of(train, vectors, reveal, inside=inside) if question.tune else None
        return StrangerReferences(Fits.of_events(train, vectors, inside), rehearsal)

    everywhere = told_of(None)
    if question.which is not Cold.DOMAIN:
        return everywhere
    return DomainReferences(everywhere, told_of(world.target))


def _kept_out(world: World, which: Cold) -> ColdStart:
    cold, what = world.cold, "items" if which is Cold.ITEMS else "people"
    if cold is None or not (cold.cold_items.any() if which is Cold.ITEMS else len(cold.people.user_ids)):
        raise BadInput(
            f"the run kept no {what} out of training; train with --set hold_out.{what}=0.1 to measure this"
        )
    if which is Cold.DOMAIN and world.target is None:
        raise BadInput("--cold domain: say which domain is new to them with --target-domain")
    return cold


def _remembered(row: Row, world: World, question: Question) -> Record:
    """Figures and settings of the references: from the folder where they were measured before."""
    kept = question.folder and question.folder / f"{_identity(row, world, question)}.json"
    if kept and kept.is_file():
        return read_json(kept)
    record: Record = {"figures": {}, "settings": {}}
    for name, scorer, settings in row.references():
        record["figures"][name] = row.strangers.measure(scorer.scores)
        record["settings"][name] = settings
    if kept:
        write_json(kept, record)
    return record


def _identity(row: Row, world: World, question: Question) -> str:
    """Changes with the code of the references, and with all that they learn from, are tuned on and are asked."""
    strangers = row.strangers
    terms = (code_digest(), strangers.known.digest, strangers.later.digest, strangers.closed.tobytes().hex())
    parts = (*terms, world.split.train.digest, world.items.digest, row.name, str(question.tune))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _own_scores(finished: FinishedRun, which: Cold) -> ScoreHistories:
    def scores(histories: Behaviours, people: I64) -> F32:
        known = [histories.of(int(person)).items for person in people]
        adapters = finished.adapters[people] if which is Cold.ITEMS else finished.newcomers(known)
        return finished.serving.scores(known, adapters)

    return scores
