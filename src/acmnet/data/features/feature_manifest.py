"""The manifest of a directory of features: what holds for all of its videos."""

import dataclasses
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acmnet.data.features.feature_files import FeatureError
from acmnet.files.file_access import digest_of, write_json
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_text
from acmnet.limits import LARGEST_NOTE_BYTES
from acmnet.segments import SnippetGrid

MANIFEST_NAME = "features.json"

KIND = "manifest of features"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureManifest:
    """What holds for all features of a directory.

    Raises
    ------
    FeatureError
        If the dimension is not a whole number from 1, or not the sum of the columns
        of the extractors.
    """

    grid: SnippetGrid
    """Where snippets lie in time."""
    dimension: int
    """Number of columns D, at least 1."""
    columns: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Number of columns of each extractor by its name, in order, where several stand
    side by side, such as ``{"i3d-rgb": 1024, "motion": 642}``; empty for a single
    extractor."""
    streams: tuple[str, ...] = ()
    """Names of the parts of the columns, in order, such as ``("rgb", "flow")``; empty
    if unknown."""
    extractor: str = ""
    """Name of the extractor that made the features; empty if unknown."""
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Versions of the extractor's software and weights, by name."""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Everything else that the features depend on, as JSON values by name."""

    def __post_init__(self) -> None:
        """Refuse numbers of columns that are impossible."""
        if type(self.dimension) is not int or self.dimension < 1:
            raise FeatureError(
                f"dimension must be a whole number from 1, got {self.dimension!r}"
            )
        if self.columns and sum(self.columns.values()) != self.dimension:
            raise FeatureError(
                f"columns must have the sum {self.dimension}, which is the dimension, "
                f"got {dict(self.columns)!r}"
            )


def read_manifest(directory: str | Path) -> FeatureManifest:
    """Read the ``features.json`` of a directory; unknown keys are ignored.

    Where the file has ``sha256``, as acmnet writes it, that must be the digest of all
    other values.

    Raises
    ------
    FeatureError
        If the file is missing, is not a JSON object, or lacks one of ``fps``,
        ``snippet_frames``, ``stride_frames`` and ``dimension``, or if a value is not
        of the right kind.
    """
    path = Path(directory) / MANIFEST_NAME
    empty = "write the grid there, or give it"
    text = read_text(path, KIND, FeatureError, empty, LARGEST_NOTE_BYTES)
    return manifest_of(str(path), text)


def manifest_of(path: str, text: str) -> FeatureManifest:
    """Return the manifest in a text; ``path`` is for messages. See `read_manifest`."""
    content = parse_json(path, text, KIND, FeatureError)
    if not isinstance(content, dict):
        raise FeatureError(
            f"{path} must be a JSON object with fps, snippet_frames, stride_frames and "
            f"dimension, got {reprlib.repr(content)}"
        )
    if "sha256" in content and content["sha256"] != digest_of(content):
        raise FeatureError(
            f"{path} is not as it was written: its sha256 is of other values; write it "
            "as it was, or take sha256 out if you changed the rest yourself"
        )
    try:
        return _manifest(content)
    except (ValueError, OverflowError) as error:
        raise FeatureError(f"{path}: {error}; correct the file") from None


def _manifest(content: Mapping[str, object]) -> FeatureManifest:
    """Return the manifest with the values of a JSON object."""
    fps = content.get("fps")
    if isinstance(fps, bool) or not isinstance(fps, int | float):
        raise FeatureError(f"fps must be a number above 0, got {_got(content, 'fps')}")
    grid = SnippetGrid(
        float(fps),
        _whole_number(content, "snippet_frames"),
        _whole_number(content, "stride_frames"),
    )
    streams, versions = content.get("streams", []), content.get("versions", {})
    extractor = content.get("extractor", "")
    if not isinstance(streams, list) or not all(isinstance(x, str) for x in streams):
        raise FeatureError(f"streams must be a list of names, got {streams!r}")
    if not isinstance(extractor, str):
        raise FeatureError(f"extractor must be text, got {extractor!r}")
    settings = content.get("settings", {})
    if not isinstance(versions, dict):
        raise FeatureError(f"versions must be values by name, got {versions!r}")
    if not isinstance(settings, dict):
        raise FeatureError(f"settings must be values by name, got {settings!r}")
    return FeatureManifest(
        grid=grid,
        dimension=_whole_number(content, "dimension"),
        columns=_columns(content),
        streams=tuple(streams),
        extractor=extractor,
        versions={name: str(version) for name, version in versions.items()},
        settings=settings,
    )


def _columns(content: Mapping[str, object]) -> dict[str, int]:
    """Return the number of columns of each extractor, by its name."""
    columns = content.get("columns", {})
    if not isinstance(columns, dict):
        raise FeatureError(
            f"columns must be numbers by extractor, got {_got(content, 'columns')}"
        )
    return {name: _whole_number(columns, name) for name in columns}


def _whole_number(content: Mapping[str, object], key: str) -> int:
    """Return the whole number from 1 under a key; 16.0 counts as 16."""
    value = content.get(key)
    number = value if isinstance(value, int | float) else 0
    if isinstance(value, bool) or number != number // 1 or number < 1:
        raise FeatureError(
            f"{key} must be a whole number from 1, got {_got(content, key)}"
        )
    return int(number)


def _got(content: Mapping[str, object], key: str) -> str:
    """Return the value under a key as a message shows it."""
    return reprlib.repr(content[key]) if key in content else "none"


def write_manifest(directory: str | Path, manifest: FeatureManifest) -> Path:
    """Write the ``features.json`` of a directory, and return its path.

    The file is written under a temporary name and renamed.
    """
    path = Path(directory) / MANIFEST_NAME
    write_json(path, manifest_content(manifest))
    return path


def manifest_content(manifest: FeatureManifest) -> dict[str, Any]:
    """Return a manifest as the JSON values of its file."""
    content = {
        **dataclasses.asdict(manifest.grid),
        "dimension": manifest.dimension,
        **({"columns": dict(manifest.columns)} if manifest.columns else {}),
        "streams": list(manifest.streams),
        "extractor": manifest.extractor,
        "versions": dict(manifest.versions),
        "settings": dict(manifest.settings),
    }
    if manifest.extractor:
        content["sha256"] = digest_of(content)
    return content
