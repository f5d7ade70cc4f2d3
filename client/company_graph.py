"""Counted company as a part of the scoring graph: `penchant.interest.company`, and its blend with a head's scores.

With a weight for the head, a score is log(company) + weight * head. The logarithm is shared out over what the company
is made of, in proportion: so the parts of a score add up to it here as well.
"""

from math import log
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from penchant.interest.company import Company

_Constants = dict[str, npt.NDArray[Any]]

_SCORES: Final = """
Slice              history, near_from, forever, first -> near_events
Shape              near_events -> near_length
Squeeze            near_length, first -> near_count
Sub                near_count, int_one -> near_latest
Range              near_latest, int_minus_one, int_minus_one -> near_steps
Cast[1]            near_steps -> near_ages
Mul                near_ages, near_rate -> near_exponents
Exp                near_exponents -> near_fade
Unsqueeze          near_fade, second -> near_fading
Gather             neighbours, near_events -> near_narrow_items
Cast[7]            near_narrow_items -> near_items
Gather             company_weights, near_events -> near_weights
Mul                near_weights, near_fading -> near_parts
Reshape            near_items, flat -> near_flat_items
Reshape            near_parts, flat -> near_flat_parts
ScatterElements[0] no_items, near_flat_items, near_flat_parts -> near_sum
Cast[1]            n_events -> known
Max                known, float_one -> known_or_one
Div                prior_events, known_or_one -> fading_prior
Equal              known, float_zero -> nobody_known
Where              nobody_known, float_one, fading_prior -> prior_weight
Mul                company_prior, prior_weight -> prior_part
"""

_PARTS: Final = """
Concat[0]          near_length, n_items -> grid
Expand             float_zero, grid -> no_grid
ScatterElements[1] no_grid, near_items, near_parts -> near_grid
Gather[1]          near_grid, asked -> near_asked
Shape              history -> history_length
Sub                history_length, near_length -> near_missing
Concat[0]          near_missing, three_zeros -> near_pads
Pad                near_asked, near_pads, float_zero -> near_event_parts
Gather             prior_part, asked -> company_everyone
"""

_NEW_ITEMS: Final = """
Slice              history, far_from, forever, first -> far_events
Shape              far_events -> far_length
Squeeze            far_length, first -> far_count
Sub                far_count, int_one -> far_latest
Range              far_latest, int_minus_one, int_minus_one -> far_steps
Cast[1]            far_steps -> far_ages
Mul                far_ages, far_rate -> far_exponents
Exp                far_exponents -> far_bare_fade
ReduceSum          far_bare_fade, first -> far_mass
Max                far_mass, tiny -> far_some_mass
ReduceSum          near_fade, first -> near_mass
Div                near_mass, far_some_mass -> far_scale
Mul                far_bare_fade, far_scale -> far_fade
Unsqueeze          far_fade, second -> far_fading
Gather             alike, far_events -> far_alike
Mul                far_alike, far_fading -> far_parts
ReduceSum          far_parts, first -> far_sum
ScatterElements[0] near_sum, new_items, far_sum -> whole_sum
Add                whole_sum, prior_part -> company
Equal              new_column, asked -> is_asked
Cast[1]            is_asked -> asked_new
MatMul             far_parts, asked_new -> far_asked
Sub                history_length, far_length -> far_missing
Concat[0]          far_missing, three_zeros -> far_pads
Pad                far_asked, far_pads, float_zero -> far_event_parts
Add                near_event_parts, far_event_parts -> company_events
"""

_NO_NEW_ITEMS: Final = """
Add                near_sum, prior_part -> company
Identity           near_event_parts -> company_events
"""

_ALONE: Final = """
Identity           company -> scores
Identity           company_events -> event_parts
Identity           company_everyone -> everyone
Mul                company_everyone, float_zero -> taste
"""

_BLENDED: Final = """
ReduceMax          company -> top
Mul                top, least_share -> least
Add                company, least -> lifted
Log                lifted -> likely
Mul                head_scores, head_weight -> weighed_head
Add                likely, weighed_head -> scores
Log                least -> least_likely
Gather             likely, asked -> asked_likely
Sub                asked_likely, least_likely -> risen
Gather             company, asked -> asked_company
Max                asked_company, tiny -> some_company
Div                risen, some_company -> share
Mul                company_events, share -> shared_events
Mul                head_events, head_weight -> weighed_events
Sub                history_length, recent_length -> recent_missing
Concat[0]          recent_missing, three_zeros -> recent_pads
Pad                weighed_events, recent_pads, float_zero -> recent_event_parts
Add                shared_events, recent_event_parts -> event_parts
Mul                company_everyone, share -> shared_everyone
Mul                head_everyone, head_weight -> weighed_everyone
Add                shared_everyone, weighed_everyone -> everyone
Mul                head_taste, head_weight -> weighed_taste
Add                weighed_taste, least_likely -> taste
"""

_RECENT: Final = """
Slice              history, recent_from, forever, first -> recent
Shape              recent -> recent_length
"""
_OF_THE_HEAD: Final = {
    "history": "recent",
    "scores": "head_scores",
    "event_parts": "head_events",
    "everyone": "head_everyone",
    "taste": "head_taste",
}


def company_lines(company: Company, head: list[str], *, head_weight: float) -> list[str]:
    """The graph of the company, blended with that of a head where it has a weight; `head`: its lines."""
    new = _NEW_ITEMS if len(company.new) else _NO_NEW_ITEMS
    if head_weight == 0:
        return _lines(_SCORES + _PARTS + new + _ALONE)
    return [*_lines(_RECENT), *map(_of_the_head, head), *_lines(_SCORES + _PARTS + new + _BLENDED)]


def company_constants(company: Company, *, head_weight: float, max_history: int) -> _Constants:
    """max_history: how many events the head looks at."""
    new: _Constants = {
        "far_from": _whole(-company.window(company.text_memory)),
        "far_rate": _number(-log(2) / company.text_memory),
        "new_items": company.new.astype(np.int64),
        "new_column": company.new.astype(np.int64)[:, None],
        "alike": company.alike,
    }
    blended: _Constants = {
        "recent_from": _whole(-max_history),
        "head_weight": _number(head_weight),
        "least_share": _number(1e-6),
    }
    return {
        "near_from": _whole(-company.window(company.memory)),
        "near_rate": _number(-log(2) / company.memory),
        "forever": _whole(np.iinfo(np.int64).max),
        "first": _whole(0),
        "second": _whole(1),
        "flat": _whole(-1),
        "int_one": np.array(1),
        "int_minus_one": np.array(-1),
        "float_zero": _number(0),
        "float_one": _number(1),
        "tiny": _number(1e-12),
        "three_zeros": np.zeros(3, np.int64),
        "n_items": _whole(company.n_items),
        "no_items": np.zeros(company.n_items, np.float32),
        "neighbours": company.neighbours,
        "company_weights": company.weights,
        "company_prior": company.prior,
        "prior_events": _number(company.prior_events),
        **(new if len(company.new) else {}),
        **(blended if head_weight else {}),
    }


def _of_the_head(line: str) -> str:
    operator, _, wiring = line.partition(" ")
    inputs, output = wiring.split(" -> ")
    names = [_OF_THE_HEAD.get(name, name) for name in inputs.replace(",", " ").split()]
    return f"{operator} {', '.join(names)} -> {_OF_THE_HEAD.get(output, output)}"


def _lines(graph: str) -> list[str]:
    return [line for line in graph.splitlines() if line]


def _whole(value: int) -> npt.NDArray[np.int64]:
    return np.array([value], np.int64)


def _number(value: float) -> npt.NDArray[np.float32]:
    return np.array(value, np.float32)
