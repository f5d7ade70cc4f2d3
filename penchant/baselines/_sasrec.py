"""SASRec, trained centrally on everybody's events: the sequential model to compare a federation with."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from penchant.baselines._attention import SelfAttention
from penchant.behaviours import Behaviours
from penchant.rng import seed_for
from penchant.types import F32, I64


@dataclass(frozen=True)
class SasRec:
    """Self-attention over the latest `length` events, trained with a softmax over the whole catalogue.

    horizon: each place learns so many next items, each further one counting 0.8 of the one before; 1: the original.
    text: whether items are also described by their vectors.
    Source: Kang and McAuley 2018, arXiv:1808.09781; full softmax as in Klenitskiy and Vasilev 2023, arXiv:2309.07602.
    """

    width: int = 64
    length: int = 50
    blocks: int = 2
    heads: int = 2
    dropout: float = 0.3
    horizon: int = 1
    text: bool = False
    epochs: int = 40
    batch: int = 64
    learning_rate: float = 1e-3
    seed: int = 0

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
        batches = -(-len(windows) // self.batch)
        optimizer = torch.optim.AdamW(network.parameters(), self.learning_rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, total_steps=self.epochs * batches, pct_start=0.1
        )
        for _ in range(self.epochs):
            for rows in torch.randperm(len(windows)).split(self.batch):
                optimizer.zero_grad()
                self._loss(network, windows[rows]).backward()
                optimizer.step()
                schedule.step()

    def _loss(self, network: SelfAttention, windows: Tensor) -> Tensor:
        table = network.table()
        places = windows[:, 1:] < len(table)
        scores = network(windows[:, :-1], table)[places] @ table.T + network.bias
        total, weights = scores.new_zeros(()), 0.0
        for step in range(self.horizon):
            targets = torch.full_like(windows[:, 1:], len(table))
            targets[:, : targets.shape[1] - step] = windows[:, 1 + step :]
            own = targets[places]
            total = total + 0.8**step * cross_entropy(scores, own, ignore_index=len(table), reduction="sum")
            weights += 0.8**step * int((own < len(table)).sum())
        mean: Tensor = total / weights
        return mean


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


def _cut(items: I64, length: int) -> Iterator[I64]:
    end = len(items)
    while end > 1:
        start = max(0, end - length - 1)
        yield items[start:end]
        end = start + 1
