"""What a round asks of the machine, counted while it runs: multiplications, bytes moved, noise drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.federation import federation_of
from benchmarks.work import Work
from penchant.simulation.shard import Job
from penchant.types import Unit

_READS_ROWS = ("aten::embedding", "aten::index", "aten::index_select", "aten::gather")
"""They read as much of a table as they return."""


@dataclass(frozen=True)
class Demand:
    """Of one client in one round of the whole cohort.

    megaflops: in matrix products.  megabytes: that operations read and write, each counted once, wherever they lie.
    noise: random numbers.
    """

    megaflops: float
    megabytes: float
    noise: float


class Traffic(TorchDispatchMode):
    """Bytes that operations read and wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self.bytes += _traffic(func, args, kwargs, made)
        return made


def _traffic(func: Any, args: Any, kwargs: Any, made: Any) -> int:
    if func.is_view or "empty" in func.name():
        return 0
    name = func.name().partition(".")[0]
    if name == "aten::index_add_":
        return 3 * _bytes(args[3:4])  # reads rows of two, writes one
    if name in _READS_ROWS:
        return 2 * _bytes(tree_leaves(made))
    return _bytes(tree_leaves((args, kwargs))) + _bytes(tree_leaves(made))


def demand(work: Work) -> Demand:
    """Counted in two rounds of the work as it is: people, unit, stacks."""
    federation = federation_of(work)
    people = len(work.histories)
    head = federation.initial_state().head
    job = Job(1, head, tuple(range(people)), with_head=True, adapters=None, adapter_steps=0)
    with FlopCounterMode(display=False) as counter:
        list(federation._crew.train([job]))
    with Traffic() as traffic:
        list(federation._crew.train([job]))
    drawn = 0 if federation.guarantee.unit is Unit.NONE else len(head)
    return Demand(counter.get_total_flops() / people / 1e6, traffic.bytes / people / 1e6, drawn / people)


def _bytes(leaves: Sequence[Any]) -> int:
    """What lies in memory: a tensor that repeats itself is there once."""
    return sum(min(one.nbytes, one.untyped_storage().nbytes()) for one in leaves if isinstance(one, Tensor))
