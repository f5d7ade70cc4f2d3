"""The scoring path as one ONNX graph, for `penchant.score` and for any other ONNX runtime.

A state is a sum over the events of a history, and a score is linear in the state. So the same graph tells what each
event adds to an item's score: an explanation is a part of the sum, not a guess after the fact.
"""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from penchant.catalogue import Catalogue
from penchant.client.company_graph import company_constants, company_lines, looks_at
from penchant.interest import InterestModel
from penchant.interest.company import Company
from penchant.rundir import write_atomically
from penchant.score import FORMAT, N_EVENTS

_OPSET: Final = 17
_IR_VERSION: Final = 8
_ARGUMENT: Final = {
    "Cast": "to",
    "Gather": "axis",
    "Concat": "axis",
    "ScatterElements": "axis",
    "AddElements": "axis",
}

_GRAPH: Final = """
Shape        history -> length
Squeeze      length, axis -> events
Sub          events, one -> latest
Range        latest, minus_one, minus_one -> descending
Cast[1]      descending -> ages
Mul          log_rates, ages -> exponents
Exp          exponents -> fading
ReduceSum    fading, last_axis -> mass
Sqrt         mass -> root
Div          fading, root -> weights
Gather       memories, history -> remembered
Transpose    weights -> by_event
Unsqueeze    by_event, last_axis -> weighing
Mul          remembered, weighing -> weighed
ReduceSum    weighed, memory_axis -> said
ReduceSum    said, event_axis -> memory
Add          neutral, user -> without
Add          without, memory -> state
MatMul       down, up -> residual
Mul          residual, residual_scale -> scaled
Unsqueeze    state, event_axis -> row
MatMul       row, scaled -> wish
MatMul       row, wishes -> taste_scores
MatMul       wish, vectors -> residual_scores
Add          taste_scores, residual_scores -> own_scores
Squeeze      own_scores, event_axis -> flat_scores
Add          flat_scores, prior -> scores
Gather[1]    wishes, asked -> asked_wishes
Gather[1]    vectors, asked -> asked_vectors
MatMul       said, asked_wishes -> event_heads
MatMul       said, scaled -> event_wishes
MatMul       event_wishes, asked_vectors -> event_residuals
Add          event_heads, event_residuals -> event_parts
Gather       prior, asked -> everyone
MatMul       without, asked_wishes -> own_heads
MatMul       without, scaled -> own_wish
MatMul       own_wish, asked_vectors -> own_residuals
Add          own_heads, own_residuals -> taste
"""
"""Operator, inputs -> output. Gather[1] takes columns; `said` is what each event adds to the state.

`wishes` and `vectors` have one column an item: as the right side of a product by a row they are packed once, when the
model is loaded, and a list costs a tenth of what the product of a matrix by a vector takes.
"""


def write_score_graph(
    path: Path,
    model: InterestModel,
    catalogue: Catalogue,
    *,
    max_history: int,
    origin: str,
    belongs_to: str,
    company: Company | None = None,
    head_weight: float = 0.0,
) -> None:
    """Write the model's scoring path, with the items' ids, titles and categories. Equal models give equal files.

    origin: what the file was made from, so that its reader can tell whether it is the newest.
    belongs_to: names the model that an adapter has to be of.
    company, head_weight: as in the `Serving` of a simulation; with a weight of 0 there is no head in the file.
    Inputs: history int64[n_events]; with a company n_events int64, how many there are in all; asked int64[n_asked];
    user float32[width], down float32[width, rank], up float32[rank, dimension], zeros for no adapter.
    Outputs: scores float32[n_items] and the parts of `penchant.score.Parts`.  Nothing about a person is in it.
    """
    lines, most = _GRAPH.strip().splitlines(), max_history
    constants = _constants(model) if company is None or head_weight else {}
    if company is not None:
        lines = company_lines(company, lines, head_weight=head_weight)
        constants |= company_constants(company, head_weight=head_weight, max_history=max_history)
        most = looks_at(company, max_history=max_history, head_weight=head_weight)
    graph = helper.make_graph(
        [_node(line) for line in lines],
        "penchant",
        _inputs(model, counted=company is not None),
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [model.n_items]),
            helper.make_tensor_value_info("event_parts", TensorProto.FLOAT, ["events", "asked"]),
            helper.make_tensor_value_info("everyone", TensorProto.FLOAT, ["asked"]),
            helper.make_tensor_value_info("taste", TensorProto.FLOAT, ["asked"]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    exported = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )
    helper.set_model_props(
        exported,
        {
            "format": FORMAT,
            "max_history": str(most),
            "origin": origin,
            "belongs_to": belongs_to,
            "items": json.dumps(
                {"ids": catalogue.item_ids, "titles": catalogue.titles, "categories": catalogue.categories},
                ensure_ascii=False,
            ),
        },
    )
    write_atomically(path, exported.SerializeToString(deterministic=True))


def _node(line: str) -> onnx.NodeProto:
    operator, _, wiring = line.partition(" ")
    inputs, output = wiring.split(" -> ")
    name, _, argument = operator.rstrip("]").partition("[")
    attributes: dict[str, Any] = {_ARGUMENT[name]: int(argument)} if argument else {}
    if name == "ReduceSum":
        attributes["keepdims"] = int(output == "mass")
    if name == "AddElements":
        name, attributes = "ScatterElements", {**attributes, "reduction": "add"}
    return helper.make_node(name, inputs.replace(",", " ").split(), [output], **attributes)


def _inputs(model: InterestModel, *, counted: bool) -> list[onnx.ValueInfoProto]:
    own = model.personal
    return [
        *([helper.make_tensor_value_info(N_EVENTS, TensorProto.INT64, [])] if counted else []),
        helper.make_tensor_value_info("history", TensorProto.INT64, ["events"]),
        helper.make_tensor_value_info("asked", TensorProto.INT64, ["asked"]),
        *(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, list(tensor.shape))
            for name, tensor in (("user", own.user), ("down", own.down), ("up", own.up))
        ),
    ]


def _constants(model: InterestModel) -> dict[str, npt.NDArray[Any]]:
    with torch.no_grad():
        everything = torch.arange(model.n_items)
        places = model.places(everything)
        history = model.shared.history
        return {
            "wishes": places[:, 0].T.contiguous().numpy(),
            "memories": places[:, model.memory_roles].contiguous().numpy(),
            "prior": model.priors(everything).numpy(),
            "vectors": model.item_vectors.T.contiguous().numpy(),
            "neutral": history.neutral.numpy(),
            "log_rates": torch.nn.functional.logsigmoid(history.rate_logit)[:, None].numpy(),
            "residual_scale": np.array(model.personal.residual_scale, np.float32),
            "one": np.array(1),
            "minus_one": np.array(-1),
            "axis": np.array([0], np.int64),
            "event_axis": np.array([0], np.int64),
            "memory_axis": np.array([1], np.int64),
            "last_axis": np.array([-1], np.int64),
        }
