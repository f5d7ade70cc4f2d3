"""Counted company as a part of the scoring graph: `penchant.interest.company`, and its blend with a head's scores.

With a weight for the head, a score is log(company) + weight * head. The logarithm of what everybody likes is their
part, and what events add to that is shared out among them in proportion. Taste is what is left, so that parts add up.
"""

from math import ceil, log
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from penchant.interest.company import FORGOTTEN, LEAST, Company
from penchant.interest.gate import STAGES

_ALL: Final = 2**31 - 1
"""More events than anybody has."""

_Constants = dict[str, npt.NDArray[Any]]

_CURVE: Final = """
Add                known, prior_events -> rising
Max                rising, tiny -> some_rising
Mul                evidence, known -> evident
Div                evident, some_rising -> weight
"""

_TABLE: Final = """
GreaterOrEqual     known, stages -> reached
Cast[7]            reached -> reached_number
ReduceSum          reached_number, first -> stage_after
Sub                stage_after, int_one -> stage
Gather             gate_memories, stage -> half_life
Gather             gate_weights, stage -> weight
"""

_KNOWN: Final = """
Cast[1]            n_events -> known
"""

_KNOWN_IN_DOMAIN: Final = """
Gather             tells, history -> told
ReduceSum          told, first -> known
"""

_SHARES: Final = """
Mul                {memory}, forgotten -> {near}_lasting
Ceil               {near}_lasting -> {near}_window
Cast[7]            {near}_window -> {near}_window_whole
Neg                {near}_window_whole -> {near}_from_scalar
Reshape            {near}_from_scalar, flat -> {near}_from
Slice              history, {near}_from, forever, first -> {near}_events
Shape              {near}_events -> {near}_length
Squeeze            {near}_length, first -> {near}_count
Sub                {near}_count, int_one -> {near}_latest
Range              {near}_latest, int_minus_one, int_minus_one -> {near}_steps
Cast[1]            {near}_steps -> {near}_ages
Mul                {near}_ages, minus_log_two -> {near}_decay
Div                {near}_decay, {memory} -> {near}_exponents
Exp                {near}_exponents -> {near}_fade
Gather             event_weights, {near}_events -> {near}_own
Mul                {near}_fade, {near}_own -> {near}_bare
ReduceSum          {near}_bare, first -> {near}_mass
Max                {near}_mass, tiny -> {near}_some_mass
Div                {near}_bare, {near}_some_mass -> {near}_shares
Unsqueeze          {near}_shares, second -> {near}_by_event
"""

_SCORES: Final = """
Gather             neighbours, near_events -> near_narrow_items
Cast[7]            near_narrow_items -> near_items
Gather             excess, near_events -> near_excess
Mul                near_excess, near_by_event -> near_parts
Reshape            near_items, flat -> near_flat_items
Reshape            near_parts, flat -> near_flat_parts
AddElements[0]     no_items, near_flat_items, near_flat_parts -> near_apart
"""

_PARTS: Final = """
Shape              asked -> asked_length
Squeeze            asked_length, first -> asked_count
Range              int_zero, asked_count, int_one -> asked_places
Expand             asked_count, n_items -> no_places
ScatterElements[0] no_places, asked, asked_places -> places
Gather             places, near_items -> near_places
Add                asked_length, whole_one -> columns
Concat[0]          near_length, columns -> grid_shape
Expand             float_zero, grid_shape -> no_grid
AddElements[1]     no_grid, near_places, near_parts -> grid
Gather             places, asked -> asked_columns
Gather[1]          grid, asked_columns -> near_asked
Shape              history -> history_length
Sub                history_length, near_length -> near_missing
Concat[0]          near_missing, three_zeros -> near_pads
Pad                near_asked, near_pads, float_zero -> near_event_parts
Gather             base, asked -> asked_base
"""

_NEW_ITEMS: Final = """
Gather             alike, far_events -> far_alike
Mul                far_alike, far_by_event -> far_parts
ReduceSum          far_parts, first -> far_sum
ScatterElements[0] near_apart, new_items, far_sum -> apart
Equal              new_column, asked -> is_asked
Cast[1]            is_asked -> asked_new
MatMul             far_parts, asked_new -> far_asked
Sub                history_length, far_length -> far_missing
Concat[0]          far_missing, three_zeros -> far_pads
Pad                far_asked, far_pads, float_zero -> far_event_parts
Add                near_event_parts, far_event_parts -> apart_parts
"""

_NO_NEW_ITEMS: Final = """
Identity           near_apart -> apart
Identity           near_event_parts -> apart_parts
"""

_COMPANY: Final = """
Mul                weight, apart -> weighed_apart
Add                weighed_apart, float_one -> unheld
Max                unheld, least_left -> held
Mul                base, held -> company
Gather             company, asked -> asked_company
Mul                asked_base, weight -> weighed_base
Mul                apart_parts, weighed_base -> company_events
"""

_ALONE: Final = """
Identity           company -> scores
Identity           company_events -> event_parts
Identity           asked_base -> everyone
ReduceSum          company_events, first -> events_sum
Sub                asked_company, asked_base -> gained
Sub                gained, events_sum -> taste
"""

_BLENDED: Final = """
ReduceMax          company -> top
Mul                top, least_share -> least
Add                company, least -> lifted
Log                lifted -> likely
Mul                head_scores, head_weight -> weighed_head
Add                likely, weighed_head -> scores
Log                asked_company -> log_company
Log                asked_base -> log_base
Sub                log_company, log_base -> log_gained
Sub                asked_company, asked_base -> gained
Abs                gained -> moved
Mul                asked_base, hardly -> hardly_moved
Less               moved, hardly_moved -> even
Where              even, asked_base, gained -> divisor
Where              even, float_one, log_gained -> dividend
Div                dividend, divisor -> per_gain
Mul                company_events, per_gain -> shared_events
Mul                head_events, head_weight -> weighed_events
Sub                history_length, recent_length -> recent_missing
Concat[0]          recent_missing, three_zeros -> recent_pads
Pad                weighed_events, recent_pads, float_zero -> recent_event_parts
Add                shared_events, recent_event_parts -> event_parts
Mul                head_everyone, head_weight -> weighed_everyone
Add                log_base, weighed_everyone -> everyone
Gather             likely, asked -> asked_likely
Sub                asked_likely, log_base -> likely_gained
ReduceSum          shared_events, first -> events_sum
Sub                likely_gained, events_sum -> left
Mul                head_taste, head_weight -> weighed_taste
Add                weighed_taste, left -> taste
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
    gate = _TABLE if len(company.gate.learned) else _CURVE
    known = _KNOWN_IN_DOMAIN if _counts_in_domain(company) else _KNOWN
    near = _SHARES.format(near="near", memory="half_life")
    new = _NO_NEW_ITEMS
    if len(company.new):
        new = _SHARES.format(near="far", memory="text_memory") + _NEW_ITEMS
    counted = _lines(known + gate + near + _SCORES + _PARTS + new + _COMPANY)
    if head_weight == 0:
        return [*counted, *_lines(_ALONE)]
    return [*_lines(_RECENT), *map(_of_the_head, head), *counted, *_lines(_BLENDED)]


def _counts_in_domain(company: Company) -> bool:
    return len(company.gate.learned) > 0 and len(company.target) > 0


def looks_at(company: Company, *, max_history: int, head_weight: float) -> int:
    """How many of the latest events any part looks at. max_history: those of the head."""
    if _counts_in_domain(company):
        return _ALL
    gate = company.gate
    memories: list[float] = gate.learned[:, 1].tolist() if len(gate.learned) else [gate.memory]
    far = [company.text_memory] if len(company.new) else []
    return max(max_history if head_weight else 0, ceil(FORGOTTEN * max([*memories, *far])))


def company_constants(company: Company, *, head_weight: float, max_history: int) -> _Constants:
    """max_history: how many events the head looks at."""
    gate = company.gate
    new: _Constants = {
        "text_memory": _number(company.text_memory),
        "new_items": company.new.astype(np.int64),
        "new_column": company.new.astype(np.int64)[:, None],
        "alike": company.alike,
    }
    blended: _Constants = {
        "recent_from": _whole(-max_history),
        "head_weight": _number(head_weight),
        "least_share": _number(1e-6),
        "hardly": _number(1e-4),
    }
    curve: _Constants = {
        "evidence": _number(gate.evidence),
        "prior_events": _number(gate.prior_events),
        "half_life": _number(gate.memory),
    }
    table: _Constants = {
        "stages": np.array(STAGES, np.float32),
        **({"tells": company.tells.astype(np.float32)} if _counts_in_domain(company) else {}),
        "gate_weights": np.ascontiguousarray(gate.learned[:, 0]),
        "gate_memories": np.ascontiguousarray(gate.learned[:, 1]),
    }
    return {
        "forgotten": _number(FORGOTTEN),
        "minus_log_two": _number(-log(2)),
        "forever": _whole(np.iinfo(np.int64).max),
        "first": _whole(0),
        "second": _whole(1),
        "flat": _whole(-1),
        "whole_one": _whole(1),
        "int_zero": np.array(0),
        "int_one": np.array(1),
        "int_minus_one": np.array(-1),
        "float_zero": _number(0),
        "float_one": _number(1),
        "tiny": _number(1e-12),
        "least_left": _number(LEAST),
        "three_zeros": np.zeros(3, np.int64),
        "n_items": _whole(company.n_items),
        "no_items": np.zeros(company.n_items, np.float32),
        "neighbours": company.neighbours,
        "excess": company.excess,
        "base": company.base,
        "event_weights": company.liked ** np.float32(1 - company.source_power),
        **(table if len(gate.learned) else curve),
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
