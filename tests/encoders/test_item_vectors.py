"""Encoded once, kept, never half-written, and comparable across catalogues."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from penchant.catalogue import Catalogue
from penchant.encoders import EncoderSettings, Progress, TextEncoder, encode_cached, item_vectors
from penchant.encoders.protocol import silent
from penchant.types import F32

TEXTS = ("star wars", "toy story", "heat (1995)", "alien drama", "star wars")


class CountingEncoder:
    """An `Encoder` that remembers every text it was asked for, and breaks down when it is told to."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self.seen: list[str] = []
        self.breaks_at: str | None = None

    @property
    def digest(self) -> str:
        return self._encoder.digest

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> F32:
        if self.breaks_at in texts:
            raise KeyboardInterrupt
        self.seen.extend(texts)
        return self._encoder.encode(texts, progress=progress)


@pytest.fixture
def counting(tiny_settings: EncoderSettings) -> CountingEncoder:
    return CountingEncoder(TextEncoder(tiny_settings))


def catalogue(texts: Sequence[str]) -> Catalogue:
    ids = tuple(str(index) for index in range(len(texts)))
    return Catalogue(
        item_ids=ids, titles=tuple(texts), texts=tuple(texts), categories=tuple(() for _ in texts)
    )


def forward_passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that goes through a model from now on."""
    passed: list[str] = []
    forward = TextEncoder._forward

    def counted(self: TextEncoder, texts: list[str]) -> F32:
        passed.extend(texts)
        return forward(self, texts)

    monkeypatch.setattr(TextEncoder, "_forward", counted)
    return passed


def test_a_changed_text_encodes_only_that_item(
    tiny_settings: EncoderSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = forward_passes(monkeypatch)
    first = item_vectors(catalogue(TEXTS), tiny_settings, cache=tmp_path)
    assert sorted(passed) == sorted(set(TEXTS)), "a repeated text is encoded once"
    passed.clear()
    again = item_vectors(catalogue(TEXTS), tiny_settings, cache=tmp_path)
    assert passed == []
    np.testing.assert_array_equal(again.vectors, first.vectors)
    assert again.digest == first.digest
    changed = item_vectors(catalogue((*TEXTS[:-1], "star story")), tiny_settings, cache=tmp_path)
    assert passed == ["star story"]
    assert changed.digest != first.digest


def test_another_model_or_setting_never_meets_the_cached_rows(
    tiny_settings: EncoderSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item_vectors(catalogue(TEXTS), tiny_settings, cache=tmp_path)
    passed = forward_passes(monkeypatch)
    item_vectors(catalogue(TEXTS), tiny_settings.model_copy(update={"pooling": "first"}), cache=tmp_path)
    assert len(passed) == 4
    item_vectors(catalogue(TEXTS), tiny_settings.model_copy(update={"whiten_rank": 2}), cache=tmp_path)
    assert len(passed) == 4, "whitening is applied after the cache"


def test_rows_are_in_catalogue_order_and_whitened(tiny_settings: EncoderSettings, tmp_path: Path) -> None:
    result = item_vectors(catalogue(TEXTS), tiny_settings, cache=tmp_path)
    assert result.vectors.shape == (5, 4)
    np.testing.assert_array_equal(result.vectors[0], result.vectors[4])
    expected = result.basis.apply(TextEncoder(tiny_settings).encode(TEXTS))
    np.testing.assert_allclose(result.vectors, expected, atol=1e-4)


def test_a_head_that_travels_meets_another_catalogue_in_its_own_basis(
    tiny_settings: EncoderSettings, tmp_path: Path
) -> None:
    films = item_vectors(catalogue(TEXTS), tiny_settings, cache=tmp_path)
    books = catalogue(("drama story", "toy story"))
    met = item_vectors(books, tiny_settings, cache=tmp_path, basis=films.basis)
    np.testing.assert_allclose(met.vectors[1], films.vectors[1], atol=1e-6)
    own = item_vectors(books, tiny_settings, cache=tmp_path)
    assert np.abs(own.vectors[1] - films.vectors[1]).max() > 0.1
    assert own.digest != met.digest


def test_interrupted_encoding_keeps_what_was_done(
    counting: CountingEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penchant.encoders.items._CHUNK", 2)
    counting.breaks_at = "heat (1995)"
    with pytest.raises(KeyboardInterrupt):
        encode_cached(counting, TEXTS, cache=tmp_path)
    assert counting.seen == ["star wars", "toy story"]
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".safetensors"]
    counting.breaks_at = None
    vectors = encode_cached(counting, TEXTS, cache=tmp_path)
    assert counting.seen == ["star wars", "toy story", "heat (1995)", "alien drama"]
    np.testing.assert_array_equal(vectors, encode_cached(counting, TEXTS, cache=tmp_path))


def test_full_disk_leaves_nothing_half_written(
    counting: CountingEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        encode_cached(counting, TEXTS, cache=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("damage", ["flipped bit", "cut", "emptied"])
def test_damaged_cache_is_noticed_and_made_again(
    counting: CountingEncoder, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    before = encode_cached(counting, TEXTS, cache=tmp_path)
    (shard,) = tmp_path.rglob("*.safetensors")
    content = shard.read_bytes()
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    shard.write_bytes({"flipped bit": flipped, "cut": content[:-9], "emptied": b""}[damage])
    after = encode_cached(counting, TEXTS, cache=tmp_path)
    np.testing.assert_array_equal(after, before)
    assert len(counting.seen) == 8
    assert "is damaged; its vectors are computed again" in caplog.text
    encode_cached(counting, TEXTS, cache=tmp_path)
    assert len(counting.seen) == 8


def test_progress_adds_up_to_the_catalogue(tiny_settings: EncoderSettings, tmp_path: Path) -> None:
    for texts in (TEXTS[:2], TEXTS, TEXTS):
        steps: list[int] = []
        item_vectors(catalogue(texts), tiny_settings, cache=tmp_path, progress=steps.append)
        assert sum(steps) == len(texts)
