"""Phrases that a catalogue's texts suggest as names of interests."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Final

from penchant.catalogue import Catalogue

_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_COMMON: Final = (
    "the and for with from that this into his her their its you your our are was were not but all one two who what"
    " when how out off over under about after before has have had will can vol volume edition book novel part"
    " series story der die das und les des une del las los per con"
)
_STOP: Final = frozenset(_COMMON.split())


def phrases(catalogue: Catalogue, *, least_items: int = 5, most: int = 200) -> tuple[str, ...]:
    """Pairs of categories, then pairs of words, then words, each that so many items have; the most frequent first.

    Words of at least three letters in titles and descriptions; the commonest words of a language are left out.
    """
    found = (
        _frequent(kind, least_items)
        for kind in (_category_pairs(catalogue), _word_pairs(catalogue), _words(catalogue))
    )
    return tuple(dict.fromkeys(name for names in found for name in names[: most // 2]))[:most]


def _frequent(names: Iterator[set[str]], least: int) -> list[str]:
    counts = Counter(name for own in names for name in own)
    return [
        name for name, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])) if count >= least
    ]


def _category_pairs(catalogue: Catalogue) -> Iterator[set[str]]:
    for own in catalogue.categories:
        yield {f"{first} {second}" for first, second in combinations(sorted(own), 2)}


def _words_of(catalogue: Catalogue) -> Iterator[list[str]]:
    """Of the texts, without what their categories say."""
    for text, own in zip(catalogue.texts, catalogue.categories, strict=True):
        yield [word.lower() for word in _WORD.findall(text.replace(", ".join(own), "") if own else text)]


def _word_pairs(catalogue: Catalogue) -> Iterator[set[str]]:
    for words in _words_of(catalogue):
        yield {f"{first} {second}" for first, second in pairwise(words) if not {first, second} & _STOP}


def _words(catalogue: Catalogue) -> Iterator[set[str]]:
    for words in _words_of(catalogue):
        yield set(words) - _STOP
