"""SASRec, trained centrally on everybody's events: the sequential model to compare a federation with."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import LinearCrossEntropyOptions
from torch.nn.functional import linear_cross_entropy

from penchant.baselines._attention import SelfAttention
from penchant.baselines._settings import Count, Positive, Share
from penchant.behaviours import Behaviours
from penchant.rng import seed_for
from penchant.types import F32, I64

_IN_CACHE: Final = LinearCrossEntropyOptions(batch_chunk_size=256, chunking_method=None)
"""Scores against the catalogue are made, used and dropped 256 rows at a time: a third of the time of all at once."""

_POOL: Final = 512
"""About so many windows are sorted by length together."""


@dataclass(frozen=True)
class SasRec:
    """Self-attention over the latest `length` events, trained with a softmax over the whole catalogue.

    text: whether items are also described by their vectors.  batch: events, in windows of `length`.
    Source: Kang and McAuley 2018, arXiv:1808.09781; full softmax as in Klenitskiy and Vasilev 2023, arXiv:2309.07602.
    """

    width: Count = 64
    length: Count = 50
    blocks: Count = 2
    heads: Count = 2
    dropout: Share = 0.3
    text: bool = False
    epochs: Count = 40
    batch: Count = 3200
    learning_rate: Positive = 3e-3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} has to be a multiple of heads {self.heads}")

    def fit(self, train: Behaviours, vectors: F32) -> "SasRecScorer":
        n_items = len(vectors)
        with torch.random.fork_rng(
            devices=[]
        ):  # initial weights and dropout draw from torch's global generator
            torch.manual_seed(seed_for(self.seed, "sasrec"))
            network = SelfAttention(
                n_items,
                width=self.width,
                length=self.length,
                blocks=self.blocks,
                heads=self.heads,
                dropout=self.dropout,
                vectors=vectors if self.text else None,
            )
            self._train(network, _windows(train, self.length, n_items))
        return SasRecScorer(network.eval(), self.length)

    def _train(self, network: SelfAttention, windows: Tensor) -> None:
        lengths = (windows < len(network.items)).sum(1)
        rows_in_batch = max(1, self.batch // self.length)
        batches = -(-len(windows) // rows_in_batch)
        targets = int(lengths.sum() - len(lengths)) / batches
        optimizer = torch.optim.AdamW(network.parameters(), self.learning_rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, total_steps=self.epochs * batches, pct_start=0.1
        )
        for _ in range(self.epochs):
            for rows in _batches(lengths, rows_in_batch):
                optimizer.zero_grad()
                loss = self._loss(network, windows[rows, : int(lengths[rows].max())])
                (loss / targets).backward()
                optimizer.step()
                schedule.step()

    def _loss(self, network: SelfAttention, windows: Tensor) -> Tensor:
        """Summed over the targets."""
        table, targets = network.table(), windows[:, 1:]
        places = targets < len(table)
        states = network(windows[:, :-1], table)[places]
        return linear_cross_entropy(
            states, table, targets[places], linear_bias=network.bias, reduction="sum", options=_IN_CACHE
        )


@dataclass(frozen=True, eq=False)
class SasRecScorer:
    """A trained network."""

    network: SelfAttention
    length: int

    @torch.no_grad()
    def scores(self, histories: Behaviours, users: I64) -> F32:
        """A person without a history is asked for with the items' biases alone."""
        table = self.network.table()
        counts = np.minimum(histories.counts[users], self.length)
        latest = np.full((len(users), self.length), len(table), np.int64)
        for row, user, count in zip(latest, users, counts, strict=True):
            row[:count] = histories.of(user).items[len(histories.of(user).items) - count :]
        states = self.network(torch.from_numpy(latest), table)[
            torch.arange(len(users)), np.maximum(counts - 1, 0)
        ]
        states[torch.from_numpy(counts == 0)] = 0
        return np.asarray((states @ table.T + self.network.bias).numpy(), np.float32)


def _windows(train: Behaviours, length: int, padding: int) -> Tensor:
    """int64[n, length + 1]: histories cut from their ends, so that each event but a person's first is a target once."""
    cut = [
        piece
        for user in range(train.n_users)
        for piece in _cut(train.of(user).items.astype(np.int64), length)
    ]
    windows = np.full((len(cut), length + 1), padding, np.int64)
    for row, piece in zip(windows, cut, strict=True):
        row[: len(piece)] = piece
    return torch.from_numpy(windows)


def _batches(lengths: Tensor, size: int) -> Iterator[Tensor]:
    """An epoch's rows in random batches, windows of about one length together: each batch is as long as its longest."""
    batches = [
        rows
        for pool in torch.randperm(len(lengths)).split(-(-_POOL // size) * size)
        for rows in pool[lengths[pool].argsort()].split(size)
    ]
    for place in torch.randperm(len(batches)):
        yield batches[place]


def _cut(items: I64, length: int) -> Iterator[I64]:
    end = len(items)
    while end > 1:
        start = max(0, end - length - 1)
        yield items[start:end]
        end = start + 1
