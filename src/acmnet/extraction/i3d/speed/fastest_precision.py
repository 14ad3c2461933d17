"""The fastest way to compute I3D on this machine that is exact enough.

How fast each number format is on a machine is measured once and remembered. A store
that has features already keeps their format, whichever is the fastest now.
"""

import dataclasses
import importlib.util
import itertools
import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from acmnet.data.features.feature_manifest import MANIFEST_NAME, read_manifest
from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.extractors.extractor_names import parts_of
from acmnet.extraction.extractors.i3d_choices import UNMEASURED_FORMAT
from acmnet.extraction.i3d.i3d import Frames, I3DError
from acmnet.extraction.i3d.openvino.i3d_openvino import (
    import_openvino,
    measured_peaks,
    openvino_pass,
)
from acmnet.extraction.i3d.snippet_cutting import crop_centre, cut_snippets
from acmnet.extraction.i3d.speed.i3d_back_ends import (
    BACK_ENDS,
    Measured,
    cosines,
    installed_rgb,
    measured,
    peaks_of,
)
from acmnet.extraction.weight_files import weights_directory
from acmnet.files.file_access import write_json
from acmnet.video.frames import FrameReader, VideoError, claimed_duration_s

OnNote = Callable[[str], None]

INT8: Final = "openvino-int8"
RGB_EXTRACTORS: Final = ("i3d-rgb", "i3d-rgb-wide")
"""Extractors for which int8 is considered; flow takes far longer than the network."""
CANDIDATES: Final = ("torch fp32", "torch bf16", "OpenVINO fp32", "OpenVINO bf16")
WITH_INT8: Final = (*CANDIDATES, "OpenVINO int8")
LEAST_VIDEO_S: Final = 300.0
"""Seconds of video from which it pays to look for the fastest format: the measurement
takes half a minute of one core, and int8 saves a fifth of a second of a core for
each second of video."""
MEASURED_SNIPPETS: Final = 12
"""Snippets of the user's videos on which int8 is measured: every second one gives the
peaks, and on the others its features are compared with those in fp32."""
MEASURED_FROM_FIRST_S: Final = 8.0
"""Seconds at the beginning of a video from which these snippets are taken."""


class Speed(NamedTuple):
    """How fast and how exact a number format was on this machine."""

    seconds: float
    """Seconds of one core for a snippet."""
    cosine: float
    """Least cosine between the features of a snippet and those in fp32."""


def with_fastest(
    settings: ExtractionSettings,
    files: Mapping[str, Path],
    store: Path,
    on_note: OnNote,
    *,
    device: str = "cpu",
    is_alone: bool = True,
) -> ExtractionSettings:
    """Return settings in which "auto" is replaced by a precision, and int8 has peaks.

    Parameters
    ----------
    settings : ExtractionSettings
        As they were requested.
    files : mapping of str to Path
        The videos that will be extracted, by id.
    store : Path
        Directory of the features. If it has some, their precision is kept.
    on_note : callable
        Called with each sentence that the user should read.
    device : str
        Where I3D computes; only on the CPU there is a choice.
    is_alone : bool
        Whether this process alone chooses for the store; on a cluster, machines that
        choose for themselves could choose differently, so there "auto" is bf16.

    Raises
    ------
    I3DError
        If int8 was requested, and changes features of these videos by more than
        ``settings.least_cosine`` allows.
    """
    if settings.precision not in ("auto", INT8) or settings.peaks:
        return settings
    has_int8 = set(parts_of(settings.extractor)) & set(RGB_EXTRACTORS)
    if not has_int8 and settings.precision == "auto":
        return dataclasses.replace(settings, precision=UNMEASURED_FORMAT)
    held = _held(settings, store)
    if held is not None:
        return held
    if settings.precision == INT8:
        return _in_int8(settings, _snippets(settings, files))
    has_openvino = importlib.util.find_spec("openvino") is not None
    is_choice = device == "cpu" and is_alone and has_openvino
    if not is_choice or not _is_worth_it(files):
        return dataclasses.replace(settings, precision=UNMEASURED_FORMAT)
    return _fastest(settings, _snippets(settings, files), on_note)


def _held(settings: ExtractionSettings, store: Path) -> ExtractionSettings | None:
    """Return the settings with the precision of features that exist already."""
    if not (store / MANIFEST_NAME).exists():
        return None
    stored = read_manifest(store).settings
    if stored.get("precision") is None:
        return None
    if settings.precision == INT8 and stored["precision"] != INT8:
        return None  # refused later, with the value that the store has
    precision: Any = stored["precision"]
    peaks = tuple(map(float, stored.get("peaks", ())))
    return dataclasses.replace(settings, precision=precision, peaks=peaks)


def _is_worth_it(files: Mapping[str, Path]) -> bool:
    """Return whether the videos are long enough together."""
    total_s = 0.0
    for path in files.values():
        total_s += claimed_duration_s(path)
        if total_s >= LEAST_VIDEO_S:
            return True
    return False


def _fastest(
    settings: ExtractionSettings, snippets: Frames, on_note: OnNote
) -> ExtractionSettings:
    """Return the settings with the fastest precision that is exact enough."""
    if len(snippets) < 2:  # no video can be read; the extraction says so
        return dataclasses.replace(settings, precision=UNMEASURED_FORMAT)
    speeds = _speeds(snippets, on_note)
    for name in sorted(speeds, key=lambda name: speeds[name].seconds):
        precision = BACK_ENDS[name].precision
        if precision is None or speeds[name].cosine < settings.least_cosine:
            continue
        try:
            chosen = dataclasses.replace(settings, precision=precision)
            if precision == INT8:
                chosen = _in_int8(chosen, snippets)
        except I3DError as error:
            on_note(f"{error}; the next faster number format is taken")
            continue
        on_note(
            f"I3D is computed by {name}, the fastest here whose features have a cosine "
            f"of at least {settings.least_cosine:g} to those in fp32"
        )
        return chosen
    return dataclasses.replace(settings, precision="fp32")


def _in_int8(settings: ExtractionSettings, snippets: Frames) -> ExtractionSettings:
    """Return the settings with peaks measured on half of the snippets.

    Raises
    ------
    I3DError
        If the features of the other half differ too much from those in fp32.
    """
    if len(snippets) < 2:
        raise I3DError(
            "int8 is set up on snippets of your videos, and none could be read; take "
            "--precision bf16"
        )
    openvino = import_openvino("cpu")
    network = installed_rgb()
    peaks = measured_peaks(openvino, network, snippets[::2])
    n_frames = settings.snippet_frames
    run = openvino_pass(openvino, network, INT8, n_frames, peaks)
    run_exactly = openvino_pass(openvino, network, "openvino", n_frames)
    others = torch.from_numpy(snippets[1::2])
    worst = cosines(run(others).numpy(), run_exactly(others).numpy()).min()
    if worst < settings.least_cosine:
        raise I3DError(
            f"in int8 the features of a snippet of these videos have a cosine of "
            f"{worst:.4f} to those in fp32, less than {settings.least_cosine:g}"
        )
    return dataclasses.replace(settings, precision=INT8, peaks=peaks)


def sampled_snippets(
    files: Sequence[Path], settings: ExtractionSettings, n_snippets: int
) -> Frames:
    """Return (n, T, 224, 224, 3) snippets from the beginnings of evenly spaced videos.

    Videos that cannot be read are passed over, so there may be fewer.
    """
    grid = settings.grid
    step = max(1, len(files) // n_snippets)
    chosen = files[::step][:n_snippets]
    each = -(-n_snippets // max(1, len(chosen)))
    found: list[Frames] = []
    for path in chosen:
        try:
            # of one snippet it is the first, so that no more has to be decoded
            most = 1 if each == 1 else None
            cut = list(itertools.islice(_beginning(path, settings), most))
        except (VideoError, OSError):
            continue
        spread = np.linspace(0, len(cut) - 1, min(each, len(cut))).round()
        found += [cut[int(place)] for place in spread]
    empty = np.empty((0, grid.snippet_frames, 224, 224, 3), np.uint8)
    return np.stack(found[:n_snippets]) if found else empty


def _beginning(path: Path, settings: ExtractionSettings) -> Iterator[Frames]:
    """Yield the snippets of the first seconds of a video, cropped."""
    from acmnet.extraction.i3d.i3d_extractors import FRAME_SIDE

    grid = settings.grid
    reader = FrameReader(path, fps=grid.fps, short_side=FRAME_SIDE)
    n_frames = 1 + int(MEASURED_FROM_FIRST_S * grid.fps)
    frames = map(crop_centre, itertools.islice(reader, n_frames))
    for snippet in cut_snippets(frames, grid.snippet_frames, grid.snippet_frames):
        yield np.stack(snippet)


def _snippets(settings: ExtractionSettings, files: Mapping[str, Path]) -> Frames:
    return sampled_snippets([*files.values()], settings, MEASURED_SNIPPETS)


def _speeds(snippets: Frames, on_note: OnNote) -> dict[str, Speed]:
    """Return what is remembered of this machine, or measure it now."""
    path = weights_directory().parent / "i3d_speeds.json"
    remembered, here = _remembered(path), machine_key()
    if here in remembered:
        return remembered[here]
    on_note("how fast this machine computes I3D is measured once (half a minute)")
    speeds = measured_speeds(snippets[:4])
    content = {
        key: {name: speed._asdict() for name, speed in by_name.items()}
        for key, by_name in (remembered | {here: speeds}).items()
    }
    write_json(path, content)
    return speeds


def measured_speeds(snippets: Frames) -> dict[str, Speed]:
    """Measure the back ends that can be chosen on some snippets, by name."""
    peaks = peaks_of(installed_rgb(), snippets)
    found = {
        name: result
        for name, result in measured(WITH_INT8, snippets, peaks)
        if isinstance(result, Measured)
    }
    exact = found[WITH_INT8[0]].features
    return {
        name: Speed(result.seconds, float(cosines(result.features, exact).min()))
        for name, result in found.items()
    }


def machine_key() -> str:
    """Return what the speed of I3D depends on: the processor and the libraries."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return (
        f"{platform.node()}, {model}, torch {torch.__version__}, openvino "
        f"{metadata.version('openvino')}"
    )


def _remembered(path: Path) -> dict[str, dict[str, Speed]]:
    """Return the speeds of earlier measurements; none if the file cannot be used."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            key: {
                name: Speed(float(own["seconds"]), float(own["cosine"]))
                for name, own in by_name.items()
                if name in BACK_ENDS
            }
            for key, by_name in content.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
