"""Groups of videos that belong together: one person, camera, source or day each.

Videos of one group look alike. An estimate of how well a training does on new videos
holds only if it is tested on groups that it has not seen.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from acmnet.data.label_files import EMPTY, TABLES
from acmnet.data.labels.annotations import AnnotationError
from acmnet.data.labels.json_files.label_json import KIND
from acmnet.data.labels.tables.label_columns import LabelTableError, column_meaning
from acmnet.data.labels.tables.label_tables import video_id
from acmnet.data.tables.spreadsheets import Sheet, SheetError, read_sheet
from acmnet.files.strict_json import parse_json
from acmnet.files.text_files import read_content, read_text
from acmnet.messages import counted, quoted, some
from acmnet.names import checked, one_form

LEAST_GROUPS: Final = 2
"""Number of groups below which nothing can be held out."""
COLUMN: Final = "group"
"""Name of the column of groups in a file that has several columns."""


class GroupError(ValueError):
    """Groups that cannot be used; the message names the file and what to do."""


@dataclasses.dataclass(frozen=True)
class VideoGroups:
    """Which group each video is in."""

    source: str
    """Where the groups come from, for messages, such as ``groups.csv``."""
    group_of: Mapping[str, str]
    """The name of each video's group, by video id."""

    def only(self, videos: Collection[str]) -> "VideoGroups":
        """Return the groups of some of the videos."""
        kept = {video: self.group_of[video] for video in videos}
        return VideoGroups(self.source, kept)

    @property
    def n_groups(self) -> int:
        """Number of different groups."""
        return len(set(self.group_of.values()))


def read_groups(
    given: str, annotations: str | Path, videos: Collection[str]
) -> VideoGroups:
    """Return the group of each video, from a file or from a column of the label file.

    Parameters
    ----------
    given : str
        A table (CSV) with a column of videos and a column ``group``, or the name of a
        column of the label file; in a label file in JSON, the name of a field that
        every video has.
    annotations : path
        The label file.
    videos : collection of str
        The videos that need a group; others are left out.

    Raises
    ------
    GroupError
        If there is no such file or column, a video has no group or two, or all videos
        are in one group.
    """
    annotations = Path(annotations)
    if Path(given).is_file() or Path(given).suffix.lower() in TABLES:
        source = given
        pairs = _pairs_of_table(Path(given), None)
    elif annotations.suffix.lower() in TABLES:
        source = f"column {quoted(given)} of {annotations}"
        pairs = _pairs_of_table(annotations, given)
    else:
        source = f"field {quoted(given)} of {annotations}"
        pairs = _pairs_of_json(annotations, given)
    found: dict[str, str] = {}
    for video, group in pairs:
        if found.setdefault(video, group) != group:
            raise GroupError(
                f"{source}: video {quoted(video)} is in group {quoted(found[video])} "
                f"and in group {quoted(group)}; keep one of them"
            )
    without = [video for video in videos if not found.get(video)]
    if without:
        raise GroupError(
            f"{source}: {counted(len(without), 'video', of=len(videos))} without a "
            f"group: {some(without)}; name the group of each video"
        )
    groups = VideoGroups(source, {video: found[video] for video in videos})
    if groups.n_groups < LEAST_GROUPS:
        raise GroupError(
            f"{source}: all {counted(len(videos), 'video')} are in one group, so no "
            f"group can be held out; name {LEAST_GROUPS} groups or more"
        )
    return groups


def _pairs_of_table(path: Path, column: str | None) -> Iterator[tuple[str, str]]:
    """Yield the video and the group that each row of a table names."""
    data = read_content(path, "table of groups", GroupError)
    try:
        sheet = read_sheet(str(path), data, _names_videos, f"video,{COLUMN}")
        video_at, group_at = _places(path, sheet, column)
        for row in sheet.rows():
            where = f"{path}, line {row.line}"
            cells = [*row.cells, *[""] * len(sheet.header.cells)]
            group = checked(where, "group", cells[group_at], GroupError)
            yield video_id(where, cells[video_at]), group
    except (SheetError, LabelTableError) as error:
        raise GroupError(str(error)) from None


def _names_videos(cells: Sequence[str]) -> bool:
    """Return whether one of a header's cells names the column of videos."""
    return len(cells) > 1 and any(column_meaning(cell) == "video" for cell in cells)


def _places(path: Path, sheet: Sheet, column: str | None) -> tuple[int, int]:
    """Return the places of the column of videos and of the column of groups."""
    header = [cell.casefold() for cell in sheet.header.cells]
    video_at = next(i for i, x in enumerate(header) if column_meaning(x) == "video")
    others = [i for i in range(len(header)) if i != video_at]
    wanted = (column or COLUMN).casefold()
    if wanted in header:
        return video_at, header.index(wanted)
    if column is None and len(others) == 1:
        return video_at, others[0]
    there = some([sheet.header.cells[i] for i in others])
    raise GroupError(
        f"{path} has no column {quoted(column or COLUMN)}; its other columns are "
        f"{there}: name one of them, or give a CSV with the columns video,{COLUMN}"
    )


def _pairs_of_json(path: Path, field: str) -> Iterator[tuple[str, str]]:
    """Yield each video of a label file in JSON, and its group."""
    text = read_text(path, KIND, AnnotationError, EMPTY)
    content: Any = parse_json(str(path), text, KIND, AnnotationError)
    database = content.get("database", content) if isinstance(content, dict) else {}
    has_field = False
    for name, entry in database.items():
        value = entry.get(field, "") if isinstance(entry, dict) else ""
        has_field |= value != ""
        if not isinstance(value, str | int):
            raise GroupError(
                f"{path}: {field} of video {quoted(name)} must be a word or a whole "
                f"number, got {quoted(str(value))}; correct it"
            )
        where = f"{path}, video {quoted(name)}"
        yield one_form(name), checked(where, "group", str(value), GroupError)
    if not has_field:
        raise GroupError(
            f"{path} has no field {quoted(field)} in any video, and there is no file "
            f"of that name; give a CSV with the columns video,{COLUMN}"
        )
