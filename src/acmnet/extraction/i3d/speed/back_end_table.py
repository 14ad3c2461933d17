"""The table of what can compute I3D on a machine: speed, exactness, memory, share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from acmnet.extraction.extractors.extraction_settings import ExtractionSettings
from acmnet.extraction.i3d.i3d import I3DError
from acmnet.extraction.i3d.speed.fastest_precision import sampled_snippets
from acmnet.extraction.i3d.speed.i3d_back_ends import (
    BACK_ENDS,
    Measured,
    cosines,
    installed_rgb,
    measured,
    peaks_of,
    work_of_a_snippet,
)

SNIPPETS: Final = 6
"""Snippets for the peaks of int8, and as many others that every back end computes."""

COLUMNS: Final = (
    "back end",
    "--precision",
    "video s / core s",
    "worst cosine",
    "memory MB",
    "start s",
    "share of matrix rate",
)


class BackEndTable(NamedTuple):
    """What was measured, in words."""

    rows: tuple[tuple[str, ...], ...]
    """A cell for each of `COLUMNS`."""
    notes: tuple[str, ...]
    """What was not measured and why, and what the columns mean."""


def back_end_table(files: Sequence[Path]) -> BackEndTable:
    """Measure every back end on snippets of some videos.

    Raises
    ------
    I3DError
        If none of the videos can be read.
    """
    settings = ExtractionSettings("i3d-rgb")
    snippets = sampled_snippets(files, settings, 2 * SNIPPETS)
    if len(snippets) < 2:
        raise I3DError("the videos have no snippet that could be read; name others")
    peaks = peaks_of(installed_rgb(), snippets[::2])
    found = dict(measured(tuple(BACK_ENDS), snippets[1::2], peaks))
    work = work_of_a_snippet(settings.snippet_frames)
    snippet_s = settings.stride_frames / settings.fps
    exact = found["torch fp32"]
    rows, notes = [], []
    for name, result in found.items():
        if isinstance(result, str) or isinstance(exact, str):
            notes.append(f"{name} was not measured: {result}")
            continue
        rows.append(
            (
                name,
                BACK_ENDS[name].precision or "-",
                f"{snippet_s / result.seconds:.2f}",
                f"{cosines(result.features, exact.features).min():.5f}",
                f"{result.peak_bytes / 1e6:.0f}",
                f"{result.start_s:.0f}",
                _share(result, work),
            )
        )
    return BackEndTable(tuple(rows), (*notes, _floor(snippet_s, work, found)))


def _share(result: Measured, work: int) -> str:
    """Return what share of the rate of a bare matrix product is reached."""
    return f"{100 * work / result.seconds / result.matrix_rate:.0f} %"


def _floor(snippet_s: float, work: int, found: dict[str, Measured | str]) -> str:
    """Return a sentence on the floor: the arithmetic at the matrix rate."""
    rates: dict[str, float] = {}
    for name, result in found.items():
        if not isinstance(result, str):
            number = BACK_ENDS[name].number
            rates[number] = max(rates.get(number, 0.0), result.matrix_rate)
    floors = ", ".join(
        f"{snippet_s * rate / work:.1f} in {number} ({rate / 1e9:.0f} billion a second)"
        for number, rate in rates.items()
    )
    return (
        f"A snippet takes {work / 1e9:.1f} billion multiplications and additions. At "
        f"the rate of a bare matrix product one core would reach {floors} seconds of "
        "video a second."
    )
