"""Fading sums in blocks: equal to one matrix product over the whole history, with all derivatives."""

import numpy as np
import pytest
import torch
from torch import Tensor

from penchant.interest.fading import BLOCK, fading_sum, last_weights, spread_back

MEMORIES, WIDTH, PEOPLE = 2, 3, 4


def whole_matrix(events: Tensor, rate_logit: Tensor) -> Tensor:
    """By its definition: position t sums rate ** (t - s) over s <= t, over the root of the weights' sum."""
    steps = torch.arange(events.shape[1])
    ages = steps[:, None] - steps[None, :]
    rates = torch.sigmoid(rate_logit)[..., None, None]
    weights = rates ** ages.clamp(min=0) * (ages >= 0)
    weights = weights / weights.sum(-1, keepdim=True).sqrt()
    return torch.einsum("nmts,nsmw->ntw", weights.expand(len(events), -1, -1, -1), events)


@pytest.mark.parametrize("length", [1, 2, BLOCK, BLOCK + 1, 3 * BLOCK - 5])
@pytest.mark.parametrize("own_rates", [False, True])
def test_blocks_give_what_the_matrix_gives(length: int, own_rates: bool) -> None:
    generator = np.random.default_rng(length)
    events = torch.from_numpy(generator.normal(size=(PEOPLE, length, MEMORIES, WIDTH))).requires_grad_()
    by_state = torch.from_numpy(generator.normal(size=(PEOPLE, length, WIDTH)))
    shape = (PEOPLE, MEMORIES) if own_rates else (MEMORIES,)
    rates = torch.from_numpy(generator.uniform(-1, 7, shape)).requires_grad_()
    expected, found = whole_matrix(events, rates), fading_sum(events, rates)
    torch.testing.assert_close(found, expected)
    by_events, by_rates = torch.autograd.grad(expected, (events, rates), by_state)
    found_gradients = torch.autograd.grad(found, (events, rates), by_state)
    torch.testing.assert_close(found_gradients, (by_events, by_rates))
    torch.testing.assert_close(spread_back(by_state, rates.detach()), by_events)


def test_the_last_position_alone() -> None:
    events, rates = (
        torch.randn(1, 300, MEMORIES, WIDTH, dtype=torch.float64),
        torch.tensor([0.5, 4.0]).double(),
    )
    last = torch.einsum("ms,smw->w", last_weights(300, rates), events[0])
    torch.testing.assert_close(last, fading_sum(events, rates)[0, -1])
