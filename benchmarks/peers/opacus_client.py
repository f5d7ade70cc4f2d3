"""Opacus on each client, as its documentation has it: `make_private`, one step on the client's own chunks."""

import warnings

import numpy as np
import torch
from opacus import PrivacyEngine
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.conversation import Conversation
from benchmarks.peers._torch import flat, model_of, negatives_of
from penchant.client.chunk_training import disjoint_chunks
from penchant.interest import ChunkLoss, TensorLayout

warnings.filterwarnings("ignore")
talk = Conversation()
work, privacy = talk.work, talk.work.settings["privacy"]
model = model_of(work)
layout = TensorLayout.shared(model)
chunks = [disjoint_chunks(h, work.settings["training"]["chunk_length"]) for h in work.histories]
for request in talk.requests():
    negatives = negatives_of(work, request.round)
    total = np.zeros(layout.size)
    for own in chunks:
        layout.write(model, request.head)
        data = TensorDataset(torch.from_numpy(own))
        private, optimizer, _ = PrivacyEngine().make_private(
            module=ChunkLoss(model),
            optimizer=torch.optim.SGD(layout.select(model), lr=1.0),
            data_loader=DataLoader(data, batch_size=len(own)),
            noise_multiplier=privacy["noise_multiplier"] if request.noisy else 0.0,
            max_grad_norm=privacy["clip_bound"],
            poisson_sampling=False,
            loss_reduction="sum",
        )
        private(data[:][0], negatives).sum().backward()
        optimizer.step()
        private.remove_hooks()
        total += flat(model) - request.head
    request.answer = request.head + total / len(chunks)
