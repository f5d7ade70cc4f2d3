"""fedjax: `for_each_client` compiled by XLA; the product's model and loss written in jax.numpy."""

from typing import Any

import fedjax
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.conversation import Conversation

talk = Conversation()
work = talk.work
settings = work.settings["model"]
n_items, dimension = work.vectors.shape
width, scale = settings["width"], settings["residual_scale"]
memories = len(settings["half_lives"])
roles = 1 if settings["tied"] else 1 + memories
memory_roles = [0] * memories if settings["tied"] else list(range(1, roles))
vectors = jnp.asarray(work.vectors)
events, lengths = work.padded()
SHAPES = {
    "head": (roles * width, dimension),
    "neutral": (width,),
    **({"rate_logit": (memories,)} if settings["learn_half_lives"] else {}),
    "prior": (n_items, 1),
    **({"residual": (n_items, roles * width)} if scale else {}),
}
ages = np.arange(events.shape[1] - 1)[:, None] - np.arange(events.shape[1] - 1)[None, :]
rates = 0.5 ** (1 / np.array(settings["half_lives"]))


def tensors(flat: np.ndarray) -> dict[str, Any]:
    ends = np.cumsum([int(np.prod(shape)) for shape in SHAPES.values()])
    parts = zip(SHAPES.items(), np.split(flat, ends[:-1]), strict=True)
    return {name: jnp.asarray(part.reshape(shape)) for (name, shape), part in parts}


def loss(head: dict[str, Any], negatives: Any, own: Any, length: Any) -> Any:
    """As `penchant.interest.HistoryLoss`, for one person."""

    def places(items: Any) -> Any:
        placed = vectors[items] @ head["head"].T
        if scale:
            placed = placed + scale * head["residual"][items]
        return placed.reshape(-1, roles, width)

    targets = own[1:]
    placed, others = places(own), places(negatives)[:, 0]
    log_rate = jax.nn.log_sigmoid(head["rate_logit"]) if "rate_logit" in head else jnp.log(jnp.asarray(rates))
    weights = jnp.exp(log_rate[:, None, None] * jnp.maximum(ages, 0)) * (ages >= 0)
    weights = (weights / jnp.sqrt(weights.sum(-1, keepdims=True))).astype(jnp.float32)
    remembered = placed[:-1, jnp.asarray(memory_roles)]
    states = jnp.einsum("mts,smw->tw", weights, remembered) + head["neutral"]
    prior = settings["prior_scale"] * head["prior"][:, 0]
    right = (states * placed[1:, 0]).sum(-1) + prior[targets]
    counted = jnp.arange(len(targets)) < length - 1
    excluded = jnp.zeros(n_items + 1, bool).at[jnp.where(counted, targets, n_items)].set(True)[negatives]
    c = len(negatives)
    wrong = states @ others.T + prior[negatives] + np.log(max(n_items - 1, 1) / max(c - (c == n_items), 1))
    wrong = jnp.where(excluded, -jnp.inf, wrong)
    losses = jax.nn.logsumexp(jnp.concatenate([right[:, None], wrong], 1), axis=1) - right
    return (losses * counted).sum() / jnp.maximum(counted.sum(), 1)


def client_init(shared: Any, _: Any) -> Any:
    return {"head": shared["head"], "negatives": shared["negatives"]}


def client_step(state: Any, batch: Any) -> Any:
    slope = jax.grad(loss)(state["head"], state["negatives"], batch["events"][0], batch["length"][0])
    moved = jax.tree_util.tree_map(lambda w, g: w - work.learning_rate * g, state["head"], slope)
    return {"head": moved, "negatives": state["negatives"]}


def client_final(shared: Any, state: Any) -> Any:
    return jax.tree_util.tree_map(lambda after, before: after - before, state["head"], shared["head"])


@jax.jit
def fold(total: Any, update: Any) -> Any:
    return jax.tree_util.tree_map(jnp.add, total, update)


train = fedjax.for_each_client(client_init, client_step, client_final)
clients = [
    (person, [{"events": own[None], "length": length[None]}], None)
    for person, (own, length) in enumerate(zip(events, lengths, strict=True))
]
for request in talk.requests():
    shared = {
        "head": tensors(request.head),
        "negatives": jnp.asarray(work.negatives[request.round]),
    }
    total = jax.tree_util.tree_map(jnp.zeros_like, shared["head"])
    for _, update in train(shared, clients):
        total = fold(total, update)
    summed = np.concatenate([np.asarray(total[name]).ravel() for name in SHAPES])
    request.answer = request.head + summed / len(clients)
