"""pfl-research: FederatedAveraging on its simulated backend, PyTorch model, one local epoch of one batch."""

from typing import Any

import numpy as np
import torch
from pfl.aggregate.simulate import SimulatedBackend
from pfl.algorithm.base import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.callback.base import TrainingProcessCallback
from pfl.data.dataset import Dataset
from pfl.data.federated_dataset import FederatedDataset
from pfl.data.sampling import get_user_sampler
from pfl.hyperparam import NNTrainHyperParams
from pfl.metrics import Metrics
from pfl.model.pytorch import PyTorchModel

from benchmarks.conversation import Conversation
from benchmarks.peers._torch import flat, histories_of, model_of, negatives_of
from penchant.interest import HistoryLoss, TensorLayout

talk = Conversation()
work, requests = talk.work, talk.requests()
people = {person: list(history) for person, history in enumerate(histories_of(work))}


class Learner(torch.nn.Module):
    """The interest model with the two methods that pfl asks for; its personal part is left out of training."""

    def __init__(self) -> None:
        super().__init__()
        self.model = model_of(work)
        self.model.personal.requires_grad_(False)
        self.objective = HistoryLoss(self.model)
        self.negatives = negatives_of(work, 0)

    def loss(self, events: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        return self.objective(events, length, self.negatives).sum()

    def metrics(self, *_: Any) -> dict[str, Any]:
        return {}


class Asked(TrainingProcessCallback):
    """Between two rounds: hand in the last result, wait for the next request, start from its head."""

    def __init__(self, learner: Learner) -> None:
        self.learner, self.layout = learner, TensorLayout.shared(learner.model)
        self.request: Any = None

    def on_train_begin(self, *, model: Any) -> Metrics:
        del model
        self._wait()
        return Metrics()

    def after_central_iteration(self, *_: Any, **__: Any) -> tuple[bool, Metrics]:
        self.request.answer = flat(self.learner.model)
        return self._wait(), Metrics()

    def _wait(self) -> bool:
        self.request = next(requests, None)
        if self.request is not None:
            self.learner.negatives = negatives_of(work, self.request.round)
            self.layout.write(self.learner.model, self.request.head)
        return self.request is None


learner = Learner()
model = PyTorchModel(
    model=learner,
    local_optimizer_create=torch.optim.SGD,
    central_optimizer=torch.optim.SGD([p for p in learner.parameters() if p.requires_grad], lr=1.0),
)
sampler = get_user_sampler("minimize_reuse", list(people))
data = FederatedDataset(lambda person: Dataset(people[person], user_id=str(person)), sampler)
FederatedAveraging().run(
    NNAlgorithmParams(
        central_num_iterations=np.iinfo(np.int32).max,
        evaluation_frequency=np.iinfo(np.int32).max,
        train_cohort_size=len(people),
        val_cohort_size=1,
    ),
    SimulatedBackend(training_data=data, val_data=data),
    model,
    NNTrainHyperParams(local_num_epochs=1, local_learning_rate=work.learning_rate, local_batch_size=None),
    None,
    [Asked(learner)],
    send_metrics_to_platform=False,
)
