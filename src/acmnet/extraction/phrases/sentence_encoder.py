"""The sentence encoder: texts of like meaning become vectors of like direction."""

import importlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from acmnet.extraction.phrases.phrase_weights import phrase_files
from acmnet.extraction.weights.weights_folder import WeightsError

DIMENSION: Final = 384
"""Numbers of a vector."""
MOST_WORD_PIECES: Final = 128
"""Pieces of words of a text that are read; the rest is ignored."""


class SentenceEncoder:
    """Turns texts into vectors, with the installed weights.

    Raises
    ------
    WeightsError
        If the weights or the libraries that run them are not installed.
    """

    def __init__(self) -> None:
        network, tokenizer = phrase_files()
        runtime, tokenizers = _imported("onnxruntime"), _imported("tokenizers")
        self._tokenizer = tokenizers.Tokenizer.from_buffer(tokenizer)
        self._tokenizer.no_padding()  # each text is read alone
        self._tokenizer.enable_truncation(MOST_WORD_PIECES)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = runtime.InferenceSession(
            network, options, providers=["CPUExecutionProvider"]
        )

    def vectors(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return one vector of length 1 for each text, of shape ``(texts, 384)``.

        The product of two of them is the cosine of their angle: 1 for texts that mean
        the same, about 0 for texts that have nothing in common.
        """
        return np.array([self._vector(text) for text in texts], np.float32)

    def _vector(self, text: str) -> npt.NDArray[np.float32]:
        """Return the mean of what the network says of each piece, scaled to length 1.

        Texts go through the network one at a time, so that a vector does not depend on
        the other texts.
        """
        ids = np.array([self._tokenizer.encode(text).ids], np.int64)
        given = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        (pieces,) = self._session.run(["last_hidden_state"], given)
        mean = np.asarray(pieces[0].mean(axis=0), np.float32)
        length = max(float(np.linalg.norm(mean)), 1e-12)
        return np.asarray(mean / length, np.float32)


def _imported(name: str) -> Any:
    """Import a library of the extra ``query``, or say how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise WeightsError(
            f"phrases need {name}, which is not installed; run: pip install "
            "'acmnet[query]'"
        ) from None
