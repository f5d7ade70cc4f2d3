"""A peer's side of the talk: it says when its imports are done, then answers each round that it is asked for."""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.work import Work


@dataclass
class Request:
    """Train `head` for one round. noisy: with the work's noise; without, all peers must agree on the result."""

    round: int
    head: np.ndarray
    noisy: bool
    answer: np.ndarray | None = None


class Conversation:
    """Lines of JSON on what was standard output; whatever else a library prints goes to standard error."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)
        self._say(imported=True)
        self.work = Work.load(Path(sys.argv[1]))

    def requests(self) -> Iterator[Request]:
        """Each round that is asked for; set `answer` to float32[n_shared] before asking for the next."""
        head = self.work.head
        for line in sys.stdin:
            order = json.loads(line)
            if order.get("reset"):
                head = self.work.head
            if "save" in order:
                np.save(order["save"], head)
                self._say(saved=True)
                continue
            request = Request(order["round"], head.copy(), order["noisy"])
            started = time.perf_counter()
            yield request
            seconds = time.perf_counter() - started
            assert request.answer is not None, "a request was left without an answer"
            head = request.answer.astype(np.float32)
            self._say(seconds=seconds)

    def _say(self, **said: Any) -> None:
        self._out.write(json.dumps(said) + "\n")
