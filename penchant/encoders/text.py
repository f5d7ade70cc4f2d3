"""A frozen language model that turns texts into vectors."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from penchant.encoders.model_folder import folder_digest, model_folder
from penchant.encoders.protocol import Progress, silent
from penchant.encoders.settings import EncoderSettings
from penchant.errors import NotFinite
from penchant.types import F32

if TYPE_CHECKING:
    import torch


class TextEncoder:
    """An `Encoder` over `transformers`: any model folder or hub name, in float32 on the CPU.

    The model is loaded at the first text, so an encoder whose texts are all cached costs nothing.
    Raises: EnvironmentMissing when the model is not to be had.
    """

    def __init__(self, settings: EncoderSettings | None = None) -> None:
        self.settings = settings or EncoderSettings()
        self.folder = model_folder(self.settings.model)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the model's files and every setting that changes a vector."""
        settings = self.settings.model_dump_json(include={"pooling", "normalise", "max_length"})
        return hashlib.sha256(f"{folder_digest(self.folder)} {settings}".encode()).hexdigest()

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> F32:
        """float32[n_texts, width], of length 1 each under `normalise`. Raises: NotFinite naming the text."""
        vectors = np.empty((len(texts), self._model.config.hidden_size), dtype=np.float32)
        by_length = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(texts), self.settings.batch_size):
            batch = by_length[start : start + self.settings.batch_size]
            vectors[batch] = self._forward([texts[index] for index in batch])
            progress(len(batch))
        _check_finite(vectors, texts)
        return vectors

    def _forward(self, texts: list[str]) -> F32:
        import torch

        limit = min(self.settings.max_length, self._tokenizer.model_max_length)
        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=limit, return_tensors="pt")
        with torch.inference_mode():
            hidden = self._model(**tokens).last_hidden_state
            averaged = self.settings.pooling == "mean"
            pooled = _mean(hidden, tokens["attention_mask"]) if averaged else hidden[:, 0]
            if self.settings.normalise:
                pooled = torch.nn.functional.normalize(pooled, dim=-1)
        return np.asarray(pooled.numpy(), dtype=np.float32)

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.folder, local_files_only=True, padding_side="right")
        if tokenizer.pad_token is None:  # models made for generating have none; padding is masked anyway
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer

    @cached_property
    def _model(self) -> Any:
        import torch
        from transformers import AutoModel
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        model = AutoModel.from_pretrained(
            self.folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
        return model.eval()


def _mean(hidden: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
    """Mean over real tokens: hidden float32[n, tokens, width], mask int64[n, tokens] -> float32[n, width]."""
    weight = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1).clamp_min(1)


def _check_finite(vectors: F32, texts: Sequence[str]) -> None:
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if bad.size:
        raise NotFinite(f"no finite vector for {bad.size} texts, the first is {texts[bad[0]]!r}")
