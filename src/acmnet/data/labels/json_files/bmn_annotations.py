"""Convert ActivityNet's annotations from BMN's form to that of ActivityNet's files.

BMN is a method whose repositories have ActivityNet's labels in
``anet_anno_action.json``. In it the videos are at the top level, the duration is called
``duration_second``, and there are no subsets; those are in ``video_info_new.csv``
beside it.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acmnet.files.text_files import read_text

VIDEO_INFO = "*video_info*.csv"
"""Pattern of the name of the CSV file that lists each video's subset."""


def is_flat(content: object) -> bool:
    """Return whether a JSON value has videos at its top level, as BMN's file has.

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
    """Return annotations in BMN's form in the form of ActivityNet's own files.

    A few segments are empty. They are left out, and their labels are kept. A video's
    subset is taken from its entry, or else from the one CSV file in the same folder
    whose name has the pattern `VIDEO_INFO`. Without such a file the video has no
    subset.

    Parameters
    ----------
    path : Path
        The file of annotations.
    content : mapping
        The content of the file, for which `is_flat` is true.
    error : type
        The exception to raise if the CSV file cannot be read.
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
                "watched": entry.get("watched"),
            }
            for video, entry in content.items()
        }
    }


def _subsets(folder: Path, error: type[ValueError]) -> dict[str, str]:
    """Return the subset of each video in the folder's list of videos."""
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
    """Return annotations without the segments that are empty."""
    if not isinstance(annotations, list):
        return annotations
    return [
        {key: value for key, value in x.items() if key != "segment"}
        if _is_empty(x)
        else x
        for x in annotations
    ]


def _is_empty(annotation: object) -> bool:
    """Return whether an annotation's segment ends where it starts."""
    segment = annotation.get("segment") if isinstance(annotation, dict) else None
    return isinstance(segment, list) and len(segment) == 2 and segment[0] == segment[1]
