"""ActivityNet's annotations as BMN's repositories keep them, brought to the usual form.

There ``anet_anno_action.json`` has the videos at its top, with ``duration_second`` for
a duration and no subset; ``video_info_new.csv`` beside it knows the subsets.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acmnet.text_files import read_text

VIDEO_INFO = "*video_info*.csv"
"""The file beside the annotations that names each video's subset."""


def is_flat(content: object) -> bool:
    """Return whether a JSON value has BMN's videos at its top.

    Examples
    --------
    >>> is_flat({"v_a": {"duration_second": 9.5, "annotations": []}})
    True
    >>> is_flat({"database": {}}), is_flat({})
    (False, False)
    """
    return (
        isinstance(content, dict)
        and bool(content)
        and all(
            isinstance(entry, dict) and {"duration_second", "annotations"} <= set(entry)
            for entry in content.values()
        )
    )


def as_database(
    path: Path, content: Mapping[str, dict[str, Any]], error: type[ValueError]
) -> dict[str, Any]:
    """Return flat annotations as ActivityNet's own files write them.

    A segment that is empty, as a few are, is left out; its label stays. A video's
    subset is its own, or else that of the one CSV beside the file that is named like
    `VIDEO_INFO`; without such a CSV it has none.

    Parameters
    ----------
    path : Path
        The annotations' file.
    content : mapping
        What it holds, for which `is_flat` is true.
    error : type
        What to raise.
    """
    subsets: dict[str, str] = {}
    if not any("subset" in entry for entry in content.values()):
        subsets = _subsets(path.parent, error)
    return {
        "database": {
            video: {
                "subset": entry.get("subset", subsets.get(video)),
                "duration": entry["duration_second"],
                "annotations": _without_empty(entry["annotations"]),
            }
            for video, entry in content.items()
        }
    }


def _subsets(folder: Path, error: type[ValueError]) -> dict[str, str]:
    """Return the subset of each video that the folder's video list names."""
    lists = sorted(folder.glob(VIDEO_INFO))
    if len(lists) != 1:
        return {}
    text = read_text(lists[0], "list of videos", error, "remove it")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        return {
            row["video"]: row["subset"]
            for row in rows
            if row.get("video") and row.get("subset")
        }
    except csv.Error as fault:
        raise error(
            f"{lists[0]}, line {rows.line_num}: not valid CSV: {fault}; mend the line, "
            "or move the file away"
        ) from None


def _without_empty(annotations: object) -> object:
    """Return annotations in which an empty segment is no segment."""
    if not isinstance(annotations, list):
        return annotations
    return [_without_segment(x) if _is_empty(x) else x for x in annotations]


def _is_empty(annotation: object) -> bool:
    """Return whether an annotation's segment ends where it starts."""
    segment = annotation.get("segment") if isinstance(annotation, dict) else None
    return isinstance(segment, list) and len(segment) == 2 and segment[0] == segment[1]


def _without_segment(annotation: Mapping[str, object]) -> dict[str, object]:
    """Return an annotation that says what, but not when."""
    return {key: value for key, value in annotation.items() if key != "segment"}
