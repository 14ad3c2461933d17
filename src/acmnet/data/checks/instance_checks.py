"""Check instances: beyond their video, listed twice, or filling the video."""

from collections.abc import Iterator
from typing import Final

from acmnet.data.checks.findings import Finding, Level
from acmnet.data.labels.annotations import Annotations, Video
from acmnet.data.labels.contradictions import SLACK_S
from acmnet.messages import counted, quoted

DUPLICATE_S: Final = 1e-3
"""Times that differ by less than this many seconds count as equal, as in ActionFormer's
and OpenTAD's readers."""
WHOLE_VIDEO_SHARE: Final = 0.95
"""Share of a video above which an instance is reported, because hardly any background
is left to learn from."""
FPS_RATIO: Final = 30 / 24
"""Ratio of durations if frames at 24 a second are taken for 30."""


def instance_findings(annotations: Annotations) -> Iterator[Finding]:
    """Yield what is wrong with the instances of each video."""
    yield from misplaced(annotations)
    source = annotations.source
    for video in annotations.videos.values():
        if video.duration_s is not None:
            yield from _filling(source, video, video.duration_s)
        yield from _duplicates(source, video)


def misplaced(annotations: Annotations) -> Iterator[Finding]:
    """Yield which instances leave their video, before its start or after its end."""
    source = annotations.source
    for video in annotations.videos.values():
        yield from _before_start(source, video)
        if video.duration_s is not None:
            bound = f"the video's duration of {video.duration_s:g} s"
            yield from past_end(source, video, video.duration_s, bound)


def past_end(source: str, video: Video, end_s: float, bound: str) -> Iterator[Finding]:
    """Yield a finding on instances that end after ``end_s``, the end of their video.

    ``bound`` names what the end was taken from.
    """
    ends = [x.segment.end_s for x in video.instances]
    past = [end for end in ends if end > end_s + SLACK_S]
    if not past:
        return
    outside = sum(x.segment.start_s >= end_s for x in video.instances)
    counts = (
        f"{counted(len(past), 'instance', ('ends', 'end'), of=len(ends))} after {bound}"
    )
    counts += f" ({outside} start after it), the last at {max(past):g} s"
    level: Level = "warning"
    if 2 * outside > len(ends):
        level, advice = "error", "they look like another video's: leave the video out"
    elif max(past) <= FPS_RATIO * end_s:
        advice = (
            "is a frame rate wrong, such as 30 for 24 or 25? correct it, or the "
            "instances"
        )
    else:
        advice = "correct the length or the instances"
    sentence = f"{source}: video {quoted(video.id)}: {counts}; {advice}"
    yield Finding(
        level=level, kind="past-end", sentence=sentence, source=source, video=video.id
    )


def _before_start(source: str, video: Video) -> Iterator[Finding]:
    """Yield a finding on instances that start before their video does."""
    starts = [x.segment.start_s for x in video.instances]
    early = [start for start in starts if start < -SLACK_S]
    if early:
        yield Finding(
            level="warning",
            kind="before-start",
            sentence=f"{source}: video {quoted(video.id)}: "
            f"{counted(len(early), 'instance', ('starts', 'start'), of=len(starts))} "
            f"before 0, the first at {min(early):g} s; correct the times",
            source=source,
            video=video.id,
        )


def _filling(source: str, video: Video, duration_s: float) -> Iterator[Finding]:
    """Yield a finding on an instance that leaves no background."""
    for index, instance in enumerate(video.instances):
        start_s = max(instance.segment.start_s, 0.0)
        inside_s = min(instance.segment.end_s, duration_s) - start_s
        if inside_s > WHOLE_VIDEO_SHARE * duration_s:
            yield Finding(
                level="note",
                kind="fills-video",
                sentence=f"{source}: video {quoted(video.id)}: "
                f"{quoted(instance.label)} "
                f"fills {inside_s / duration_s:.0%} of the video, so it cannot teach "
                "when the action happens; add background if you have it",
                source=source,
                video=video.id,
                index=index,
                label=instance.label,
            )
            return


def _duplicates(source: str, video: Video) -> Iterator[Finding]:
    """Yield instances that repeat one before them."""
    kept: list[int] = []
    for index, x in enumerate(video.instances):
        for before in kept:
            y = video.instances[before]
            gap_s = max(
                abs(x.segment.start_s - y.segment.start_s),
                abs(x.segment.end_s - y.segment.end_s),
            )
            if x.label == y.label and gap_s <= DUPLICATE_S:
                yield Finding(
                    level="warning",
                    kind="duplicate",
                    sentence=f"{source}: video {quoted(video.id)}: instance {index} "
                    f"repeats instance {before}, {quoted(x.label)} "
                    f"[{x.segment.start_s:g}, "
                    f"{x.segment.end_s:g}] s, and only one of them can be found; "
                    "remove it",
                    source=source,
                    video=video.id,
                    index=index,
                    label=x.label,
                )
                break
        else:
            kept.append(index)
