"""Contributions that an audit plants: each in or out of a run by a fair coin, and sought in what the run releases."""

import warnings
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
import torch
from opacus.grad_sample import GradSampleModule

from penchant.client.app import ClientPlan
from penchant.client.chunk_training import disjoint_chunks, private_chunk_update
from penchant.errors import BadInput
from penchant.interest import ChunkLoss
from penchant.privacy.clip import ClippedSum, clip
from penchant.privacy.mechanism import release
from penchant.privacy.noise import CryptographicNoise
from penchant.strategies.wire import TrainRequest
from penchant.types import F32, F64, I32, I64, NO_ITEM, Bool

_LOUDNESS: Final = 10.0
"""A canary's update before the clip, in clip bounds: a mechanism that forgets to clip is heard at once."""

_SILENT_ROUNDS: Final = 2
_REPEATS: Final = 0.5
_LEAST_RIDGE: Final = 1e-3


class Canaries(Protocol):
    """included: bool[m], the coins.  scores: float64[m], from releases alone, higher where the canary seems in."""

    included: Bool
    scores: F64

    @property
    def present(self) -> list[int]:
        """Those who take part at all, by number."""
        ...

    def answer(self, request: TrainRequest, who: Sequence[int]) -> F64:
        """The sum of what these canaries' clients send, float64[n_params], through the production clip and noise."""
        ...

    def watch(self, round_: int, released: F64) -> None:
        """Score a round's release, float64[n_params], less what everybody else sent."""
        ...


class CanaryPeople:
    """Unit `user`: people whose whole update points where nobody else's does; out means never there
    (with noise at the client: there, with nothing but noise).

    Every other round the update changes sign. Noise that is drawn anew averages out all the same; noise that is drawn
    once and used again cancels.
    """

    def __init__(self, plan: ClientPlan, count: int, *, rng: np.random.Generator) -> None:
        """Raises: BadInput for more canaries than the head has parameters."""
        size = plan.shared.size
        if count > size:
            raise BadInput(f"{count} canaries need a head of as many parameters; this one has {size}")
        self._guarantee = plan.guarantee
        self._bound = plan.guarantee.clip_bound
        self._directions: F32 = np.linalg.qr(rng.normal(size=(size, count)))[0].T.astype(np.float32)
        self.included = rng.random(count) < 0.5
        self.scores = np.zeros(count)

    @property
    def present(self) -> list[int]:
        everyone = np.ones_like(self.included) if self._guarantee.client_noise else self.included
        return [int(canary) for canary in np.flatnonzero(everyone)]

    def answer(self, request: TrainRequest, who: Sequence[int]) -> F64:
        round_ = request.round  # the worst person's update need not come from training on the head
        self._bound = request.clip_bound or self._guarantee.clip_bound
        loud = np.float32(_LOUDNESS * self._bound * _sign(round_)) * self._directions[list(who)]
        clipped = clip(loud * self.included[list(who), None], bound=self._bound)
        sent = clipped.values.astype(np.float64)
        if self._guarantee.client_noise:
            sent = np.array([self._noised(row) for row in clipped.values])
            self.scores[list(who)] += _sign(round_) * (sent * self._directions[list(who)]).sum(axis=1)
        total: F64 = sent.sum(axis=0)
        return total

    def _noised(self, update: F32) -> F64:
        total = ClippedSum.empty(len(update), bound=self._bound).plus(clip(update, bound=self._bound))
        return release(total, noise_multiplier=self._guarantee.noise_multiplier, noise=CryptographicNoise())

    def watch(self, round_: int, released: F64) -> None:
        if not self._guarantee.client_noise:
            self.scores += _sign(round_) * (self._directions @ released) / self._bound


class CanaryInteractions:
    """Unit `event`: one rare, mislabelled interaction in a chunk of its own; out means blanked in place.

    The score is the first-order loss difference that a release makes on the canary: its inner product with the canary's
    clipped gradient at that round's head. With noise at the client the attacker sees each client's update; with noise
    at the server the sum alone, from which the canaries' shares are told apart by ridge regression.
    """

    def __init__(
        self, plan: ClientPlan, histories: Sequence[I32], count: int, *, rng: np.random.Generator
    ) -> None:
        self._plan = plan
        self._whole = _mislabelled(histories, plan, count, rng)
        self.included = rng.random(count) < 0.5
        self.scores = np.zeros(count)
        self._who = np.empty(0, np.int64)
        self._known: F64 = np.empty((0, plan.shared.size))
        self._noise: F64 = np.empty(0)
        self._left = 0.0

    @property
    def present(self) -> list[int]:
        return list(range(len(self.included)))

    def answer(self, request: TrainRequest, who: Sequence[int]) -> F64:
        round_, head = request.round, request.head
        self._plan.shared.write(self._plan.model, head)
        self._who = np.array(who, dtype=np.int64)
        negatives = self._negatives(round_)
        self._known = _gradients(self._plan, self._whole[self._who], negatives)
        blanked = self._whole[self._who]
        blanked[~self.included[self._who] | (round_ <= _SILENT_ROUNDS), -1] = NO_ITEM
        if not self._plan.guarantee.client_noise:
            return self._sent(blanked.ravel(), negatives).astype(np.float64)
        sent = np.array([self._sent(history, negatives) for history in blanked], dtype=np.float64)
        if len(fresh := self._fresh(round_, sent)):
            self.scores[self._who] += (fresh * self._known).sum(axis=1) / self._plan.guarantee.clip_bound
        total: F64 = sent.sum(axis=0)
        return total

    def watch(self, round_: int, released: F64) -> None:
        if self._plan.guarantee.client_noise or not len(fresh := self._fresh(round_, released)):
            return
        overlap = self._known @ self._known.T
        overlap[np.diag_indices_from(overlap)] += max(self._left, _LEAST_RIDGE)
        heard = self._known @ fresh / self._plan.guarantee.clip_bound
        self.scores[self._who] += np.linalg.solve(overlap, heard)

    def _fresh(self, round_: int, heard: F64) -> F64:
        """Without the noise that repeats; empty in the rounds that are for listening alone."""
        if round_ == 1:
            self._noise = heard
        elif round_ == _SILENT_ROUNDS:
            same = (self._noise * heard).sum() > _REPEATS * np.linalg.norm(self._noise) * np.linalg.norm(
                heard
            )
            self._left = float(((heard - self._noise) ** 2).mean()) / 2 / self._plan.guarantee.clip_bound**2
            self._noise = heard if same else np.zeros_like(heard)
        else:
            return heard - self._noise
        return np.empty(0)

    def _sent(self, history: I64, negatives: torch.Tensor) -> F32:
        """What a client with this history sends."""
        plan, guarantee = self._plan, self._plan.guarantee
        update, _ = private_chunk_update(
            plan.model,
            disjoint_chunks(history.astype(np.int32), plan.training.chunk_length),
            layout=plan.shared,
            clip_bound=guarantee.clip_bound,
            noise_multiplier=guarantee.noise_multiplier if guarantee.client_noise else 0.0,
            noise=CryptographicNoise() if guarantee.client_noise else None,
            charges=(),
            negatives=negatives,
        )
        return update

    def _negatives(self, round_: int) -> torch.Tensor:
        plan = self._plan
        return plan.negatives(round_)


def _gradients(plan: ClientPlan, chunks: I64, negatives: torch.Tensor) -> F64:
    """What the attacker works out alone, float64[n, n_params]: minus each chunk's clipped gradient over the bound."""
    samples = GradSampleModule(ChunkLoss(plan.model))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Full backward hook is firing")
            samples(torch.from_numpy(chunks), negatives).sum().backward()
        rows = [getattr(parameter, "grad_sample").flatten(1) for parameter in plan.shared.select(plan.model)]  # noqa: B009
        clipped = clip(-torch.cat(rows, dim=1).numpy(), bound=plan.guarantee.clip_bound)
    finally:
        samples.zero_grad(set_to_none=True)
        samples.remove_hooks()
    return clipped.values.astype(np.float64) / plan.guarantee.clip_bound


def _mislabelled(histories: Sequence[I32], plan: ClientPlan, count: int, rng: np.random.Generator) -> I64:
    """int64[count, chunk_length]: some person's events, and then an item that hardly anybody chose."""
    length = plan.training.chunk_length
    popularity = np.bincount(np.concatenate(histories), minlength=plan.model.n_items)
    rare = np.argsort(popularity, kind="stable")[: max(1, plan.model.n_items // 5)]
    long_enough = [history for history in histories if len(history) >= length]
    if not long_enough:
        raise BadInput(f"nobody has {length} events, as many as a chunk; lower training.chunk_length")
    chunks = np.empty((count, length), np.int64)
    for row in chunks:
        history = long_enough[rng.integers(len(long_enough))]
        start = rng.integers(len(history) - length + 1)
        row[:-1], row[-1] = history[start : start + length - 1], rng.choice(rare)
    return chunks


def _sign(round_: int) -> int:
    return 1 if round_ % 2 else -1
