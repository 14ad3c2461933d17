"""The videos that a label file lists, and the files that are there for them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from acmnet.data.checks.refusals import DataError
from acmnet.data.labels.annotations import Annotations
from acmnet.extraction.extractors.extractor_names import reads_videos
from acmnet.extraction.many_videos.records import was_extracted
from acmnet.extraction.many_videos.video_search import Recordings, find_recordings
from acmnet.messages import counted, some
from acmnet.names import spelt_otherwise
from acmnet.video.frames import VideoError, probe


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListedVideos:
    """A label file, and the folder that should have its videos."""

    labels: Path
    """The label file."""
    annotations: Annotations
    """What the label file says."""
    folder: Path
    """A folder of videos, or one file."""
    subset: str | None
    """The subset that is trained on; None for every listed video."""
    features: Path
    """The store that gets the features of the videos, or has them already."""
    extractor: str = "motion"
    """Name of the extractor; for keypoints alone the folder has files of tracks."""
    tracks: Path | None = None
    """Where the files of tracks are; in the folder where None."""


def listed_files(
    listed: ListedVideos,
    on_note: Callable[[str], None] = lambda _: None,
    on_opened: Callable[[int, int], None] = lambda *_: None,
) -> tuple[Recordings, dict[str, str]]:
    """Return the files of listed videos, and why those without one are left out.

    Files are opened, and their first frame decoded, to see at once whether they can be
    read. A file whose features are in the store is not: it was read before. Nor is a
    file of tracks, which has no first frame: its extraction reads it once.

    Parameters
    ----------
    listed : ListedVideos
        The label file and the folder.
    on_note : callable
        Called with each sentence that the user should read.
    on_opened : callable
        Called after each file that was opened, with how many were opened and how many
        there are to open.

    Raises
    ------
    DataError
        If the files that are there and open do not suffice.
    """
    found, tracks = find_recordings(
        [listed.folder], listed.extractor, listed.tracks, on_note
    )
    files = {
        video: found[video] for video in listed.annotations.videos if video in found
    }
    recordings = Recordings(files, {x: y for x, y in tracks.items() if x in files})
    missing = [video for video in listed.annotations.videos if video not in found]
    _tell_of_differences(listed, found, missing, on_note)
    left_out = {video: f"it has no file in {listed.folder}" for video in missing}
    is_opened = reads_videos(listed.extractor)
    broken = _broken(listed, recordings, on_opened) if is_opened else {}
    refuse_what_is_lost(listed, left_out | broken)
    if broken:
        on_note(
            f"{listed.folder}: {counted(len(broken), 'file')} cannot be opened: "
            f"{some(broken)}; the others go on"
        )
    return recordings, left_out


def _tell_of_differences(
    listed: ListedVideos,
    found: Mapping[str, Path],
    missing: Sequence[str],
    on_note: Callable[[str], None],
) -> None:
    """Tell of files that are not listed, and of listed videos without a file."""
    unlisted = [video for video in found if video not in listed.annotations.videos]
    if unlisted:
        on_note(
            f"{listed.folder}: {counted(len(unlisted), 'file', ('is', 'are'))} not "
            f"listed in {listed.labels} and not used: {some(unlisted)}; a video "
            "without any "
            "action needs a row with no label"
        )
    if missing:
        have = "has" if len(missing) == 1 else "have"
        on_note(
            f"{listed.labels}: {len(missing)} of "
            f"{counted(len(listed.annotations.videos), 'video')} {have} no file in "
            f"{listed.folder} (it has {len(found)}, such as {next(iter(found))!r}): "
            f"{some(missing)}{spelt_otherwise(missing, found)}; the others go on"
        )


def _broken(
    listed: ListedVideos, recordings: Recordings, on_opened: Callable[[int, int], None]
) -> dict[str, str]:
    """Return why files cannot be opened, of those that were not read before."""
    unread = {
        video: path
        for video, path in recordings.files.items()
        if not was_extracted(listed.features, video, *recordings.of(video))
    }
    broken = {}
    for done, (video, path) in enumerate(unread.items(), start=1):
        try:
            probe(path)
        except VideoError as error:
            broken[video] = str(error)
        on_opened(done, len(unread))
    return broken


def refuse_what_is_lost(listed: ListedVideos, left_out: Mapping[str, str]) -> None:
    """Refuse to train where no video is left, or none of a class that had some.

    Raises
    ------
    DataError
        It names each such class, and says why one of its videos is left out.
    """
    training = listed.annotations.subset(listed.subset).videos
    gone = [video for video in training if video in left_out]
    remedy = f"mend or add files in {listed.folder}"
    if gone and len(gone) == len(training):
        raise DataError(
            f"{listed.labels}: no video is left to train on: none of "
            f"{counted(len(training), 'video')} can be used; {gone[0]!r}: "
            f"{left_out[gone[0]]}; {remedy}"
        )
    kept = {
        name
        for video in training.values()
        if video.id not in left_out
        for name in video.labels
    }
    lost = {
        name: video
        for video in gone
        for name in training[video].labels
        if name not in kept
    }
    if lost:
        name, video = next(iter(lost.items()))
        classes = counted(len(lost), "class")
        lose = "loses all its videos" if len(lost) == 1 else "lose all their videos"
        raise DataError(
            f"{listed.labels}: {classes} {lose}, as those cannot be used: "
            f"{some(lost)} ({video!r} of {name!r}: {left_out[video]}); {remedy}, or "
            "take the class out of the labels"
        )
