"""The company that was counted, as it goes to devices: one safetensors file, held to its sizes before it is read."""

from typing import Final

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from safetensors import SafetensorError
from safetensors.numpy import load, save

from penchant.interest.company import Company
from penchant.interest.gate import STAGES
from penchant.strategies.counting import CountingTerms
from penchant.strategies.wire import Refused

_COMPANY: Final = "company"
_KIND: Final = "safetensors"
_HEADER: Final = 4096
"""Bytes of a file's header, at most."""


def company_content(company: Company) -> RecordDict:
    """What the server sends."""
    content = save(dict(company.tensors()))
    sent = Array(dtype="uint8", shape=(len(content),), stype=_KIND, data=content)
    return RecordDict({_COMPANY: ArrayRecord({_COMPANY: sent}), "config": ConfigRecord({})})


def read_company(message: Message, terms: CountingTerms) -> bytes:
    """The file as it was sent. Raises: Refused for any other than a company of the catalogue that was agreed on."""
    records = message.content.array_records.get(_COMPANY)
    if records is None or set(records) != {_COMPANY}:
        raise Refused("no company where one was announced")
    sent = records[_COMPANY]
    if sent.stype != _KIND or len(sent.data) > _most_bytes(terms):
        raise Refused(f"a company of {len(sent.data)} bytes, of kind {sent.stype!r}")
    admitted(sent.data, terms)
    return sent.data


def admitted(content: bytes, terms: CountingTerms) -> Company:
    """Raises: Refused for what cannot be a company of this catalogue."""
    try:
        company = Company.read(load(content), terms.settings)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise Refused(f"not a company ({error})") from error
    n_items, kept = terms.n_items, min(terms.settings.neighbours, terms.n_items)
    shapes = {name: tensor.shape for name, tensor in company.tensors().items()}
    expected = {
        "neighbours": (n_items, kept),
        "excess": (n_items, kept),
        "liked": (n_items,),
        "new": (0,),
        "alike": (n_items, 0),
        "target": (0,),
        "gate": (len(company.gate.learned) and len(STAGES), 2),
    }
    if shapes != expected:
        raise Refused(f"a company of shapes {shapes}, expected {expected}")
    if company.neighbours.min() < 0 or company.neighbours.max() >= n_items:
        raise Refused("a company with neighbours that are not in the catalogue")
    if not company.liked.min(initial=1) > 0:
        raise Refused("a company with an item that nobody could like")
    for values, least in ((company.excess, -1), (company.liked, 0), (company.gate.learned, 0)):
        if not (np.isfinite(values).all() and values.min(initial=0) >= least):
            raise Refused(f"a company with numbers that are none from {least} up")
    return company


def _most_bytes(terms: CountingTerms) -> int:
    return _HEADER + 4 * terms.n_items * (1 + 2 * min(terms.settings.neighbours, terms.n_items))
