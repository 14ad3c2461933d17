"""Check labels for what they cannot teach."""

import collections
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from acmnet.data.checks.findings import Finding
from acmnet.data.checks.label_words import word_findings
from acmnet.data.labels.annotations import Annotations, Video
from acmnet.data.labels.marks import given_marks, marked_classes
from acmnet.data.labels.supervision import Supervision
from acmnet.messages import counted, quoted, some

FEW_VIDEOS: Final = 3
"""Least number of videos of a class; fewer are reported."""
IMBALANCE: Final = 10.0
"""Largest ratio of videos between the most frequent and the rarest class; a larger one
is reported."""
MOST_VIDEOS: Final = 0.8
"""Share of the videos from which on a class is reported as being in nearly all of
them."""
ENOUGH_VIDEOS: Final = 5
"""With fewer videos in all, `MOST_VIDEOS` is not checked."""
LONG_VIDEOS_S: Final = 300.0
"""Mean length of the videos of a class, in seconds, above which names hardly tell where
in a video the class is."""
ENOUGH_LONG_VIDEOS: Final = 40
"""A class with at least this many long videos is not reported. With fewer, a class is
found only where its actions stand out from the rest of the video
(docs/results-long-recordings.md)."""
MOST_LABELS: Final = 300
"""Videos with more labels than this are left out of the search for labels that always
occur together."""
SUBSETS_TO_SCORE: Final = frozenset({"test", "testing"})
"""Names, in lower case, of subsets that are scored and seldom learned from."""
ONLY_OF_NAMES: Final = frozenset(
    {"everywhere", "nearly-everywhere", "inseparable", "implied"}
)
"""Kinds of findings that do not hold for a class whose times are learned from."""
MOST_SENTENCES_OF_A_KIND: Final = 3
"""Largest number of sentences of one kind that are printed before a training; the rest
is counted."""


def label_findings(annotations: Annotations) -> Iterator[Finding]:
    """Yield what is wrong with the classes, and with their share of the videos."""
    yield from word_findings(annotations)
    groups = by_subset(annotations.videos.values())
    if None in groups and len(groups) > 1:
        without = [video.id for video in groups[None]]
        total = len(annotations.videos)
        yield Finding(
            level="warning",
            kind="subset",
            sentence=f"{annotations.source}: "
            f"{counted(len(without), 'video', ('is', 'are'), of=total)} "
            f"in no subset, so no subset can be picked out: {some(without)}; give "
            "each video a subset",
            source=annotations.source,
        )
    labelled = {
        name: videos
        for name, videos in groups.items()
        if any(video.labels for video in videos)
    }
    nothing = no_action(annotations)
    if nothing is not None:
        yield Finding(
            level="error", kind="no action", sentence=nothing, source=annotations.source
        )
    yield from _absent(annotations, labelled)
    for name, videos in learned_from(labelled).items():
        yield from _weak(annotations, name, videos)


def no_action(annotations: Annotations) -> str | None:
    """Return what to do where no video of a label file has a label; None elsewhere."""
    if any(video.labels for video in annotations.videos.values()):
        return None
    videos = counted(len(annotations.videos), "video")
    return (
        f"{annotations.source} names no action in {videos}, so there is nothing to "
        "learn; name the actions that each video shows"
    )


def by_subset(videos: Iterable[Video]) -> dict[str | None, list[Video]]:
    """Return videos by the name of their subset, in the order of the file."""
    groups: dict[str | None, list[Video]] = {}
    for video in videos:
        groups.setdefault(video.subset, []).append(video)
    return groups


def learned_from(
    groups: Mapping[str | None, list[Video]],
) -> Mapping[str | None, list[Video]]:
    """Return the subsets that a training may learn from.

    What names cannot teach is of no concern in a subset that is there to be scored, as
    its name says. It is left out, unless there is no other one.
    """
    learned = {
        name: videos
        for name, videos in groups.items()
        if name is None or name.lower() not in SUBSETS_TO_SCORE
    }
    return learned or groups


def suspicions(
    annotations: Annotations, supervision: Supervision = "names"
) -> list[str]:
    """Return sentences on what looks wrong in labels, to be printed before a training.

    Only problems are looked for that need no features and that training accepts. What
    names alone cannot tell of a class is not said of one whose times are learned from.

    Parameters
    ----------
    annotations : Annotations
        Of the videos to train on.
    supervision : str
        What the training is given of them.

    Returns
    -------
    list of str
        A sentence for each problem; beyond `MOST_SENTENCES_OF_A_KIND` of one kind,
        their number.
    """
    groups: dict[str, list[str]] = {}
    videos = list(annotations.videos.values())
    findings = [*word_findings(annotations), *_weak(annotations, None, videos)]
    marked = marked_classes(given_marks(annotations, supervision))
    for finding in findings:
        if finding.kind in ONLY_OF_NAMES and finding.label in marked:
            continue
        groups.setdefault(finding.kind, []).append(finding.sentence)
    sentences = []
    for kind, group in groups.items():
        sentences += group[:MOST_SENTENCES_OF_A_KIND]
        more = len(group) - MOST_SENTENCES_OF_A_KIND
        if more > 0:
            sentences.append(
                f"{annotations.source}: {more} more of this kind ({kind}); acmnet "
                f"doctor --annotations {annotations.source} names them all"
            )
    return sentences


def _absent(
    annotations: Annotations, groups: Mapping[str | None, Sequence[Video]]
) -> Iterator[Finding]:
    """Yield classes that no video has, or that one subset has and others lack."""
    present = {
        name: {label for video in videos for label in video.labels}
        for name, videos in groups.items()
    }
    for label in annotations.class_names:
        inside = [_subset(name) for name, labels in present.items() if label in labels]
        outside = [_subset(x) for x, labels in present.items() if label not in labels]
        if not inside:
            words = "has no video; add some or take it off the class list"
        elif len(inside) == 1 and outside:
            words = (
                f"is in {inside[0]} only, not in {', '.join(outside)}: it is learned "
                "and never tested, or tested and never learned; split the videos anew "
                "or leave the class out"
            )
        else:
            continue
        kind = "one-subset" if inside else "no-video"
        sentence = f"{annotations.source}: class {quoted(label)} {words}"
        source = annotations.source
        yield Finding(
            level="warning", kind=kind, sentence=sentence, source=source, label=label
        )


def _subset(name: str | None) -> str:
    return "no subset" if name is None else f"subset {quoted(name)}"


def _weak(
    annotations: Annotations, subset: str | None, videos: Sequence[Video]
) -> Iterator[Finding]:
    """Yield what labels alone cannot teach, of the videos of one subset."""
    source = annotations.source
    where = source if subset is None else f"{source}: {_subset(subset)}"
    counts = collections.Counter(label for video in videos for label in video.labels)
    names = [name for name in annotations.class_names if name in counts]
    if not names:
        return
    for kind, label, words in (
        *_numbers(names, counts, len(videos)),
        *_pairs(names, counts, videos),
    ):
        yield Finding(
            level="warning",
            kind=kind,
            sentence=f"{where}: {words}",
            source=source,
            label=label,
        )


def _numbers(
    names: Sequence[str], counts: Mapping[str, int], n_videos: int
) -> Iterator[tuple[str, str, str]]:
    """Yield kind, label and words on classes with few videos, or with all of them."""
    for name in names:
        n = counts[name]
        if n < FEW_VIDEOS:
            words = f"class {quoted(name)} has only {counted(n, 'video')} to learn from"
            yield ("few-videos", name, f"{words}; add some, to {FEW_VIDEOS} or more")
        if n == n_videos > 1:
            words = f"every video is labelled {quoted(name)}, so nothing shows what is"
            yield (
                "everywhere",
                name,
                (
                    f"{words} not; add videos without it, or mark it in some videos "
                    "(--supervision all)"
                ),
            )
        elif n >= MOST_VIDEOS * n_videos and n_videos >= ENOUGH_VIDEOS and n < n_videos:
            yield (
                "nearly-everywhere",
                name,
                f"{quoted(name)} is in {n} of {counted(n_videos, 'video')}, so that "
                "names say little of where it is; add videos without it, cut the "
                "videos into shorter ones that are labelled each, or mark it in some "
                "(--supervision all)",
            )
    most = max(names, key=counts.__getitem__)
    least = min(names, key=counts.__getitem__)
    if counts[most] > IMBALANCE * counts[least]:
        yield (
            "imbalance",
            least,
            f"class {quoted(most)} has {counted(counts[most], 'video')} and "
            f"{quoted(least)} "
            f"{counts[least]}; add videos of the rare class",
        )


def _pairs(
    names: Sequence[str], counts: Mapping[str, int], videos: Sequence[Video]
) -> Iterator[tuple[str, str, str]]:
    """Yield kind, label and words on a class that is never without another."""
    place = {name: c for c, name in enumerate(names)}
    together = collections.Counter(
        (place[a], place[b])
        for video in videos
        if len(video.labels) <= MOST_LABELS
        for a, b in itertools.permutations(video.labels, 2)
    )
    for (a, b), n in sorted(together.items()):
        of_a, of_b = counts[names[a]], counts[names[b]]
        if n != of_a:
            continue
        first, second = quoted(names[a]), quoted(names[b])
        if of_a == of_b and a < b:
            yield (
                "inseparable",
                names[a],
                f"{first} and {second} are in the same {counted(n, 'video')}, so that "
                "labels cannot tell them apart; add videos with only one of them, or "
                "make them one class",
            )
        elif FEW_VIDEOS <= of_a < of_b < len(videos):
            yield (
                "implied",
                names[a],
                f"{first} is never without {second} ({counted(n, 'video')}), so that "
                "labels "
                f"cannot tell what is {first} alone; add videos of {first} without "
                f"{second}, or train them as one class",
            )


def few_long_videos(
    videos: Iterable[Video],
    length_s: Callable[[str], float] | None,
    marked: Collection[str] = (),
) -> tuple[str, str] | None:
    """Return a label and words on the classes that few long videos are named for.

    Nothing is said of a class with a video whose length is not known, nor of one whose
    times are learned from. One sentence names all such classes.

    Parameters
    ----------
    videos : iterable of Video
        Those of one subset.
    length_s : callable, optional
        Returns the length of a video in seconds, by its id, where the annotations do
        not say it; 0 where it is not known.
    marked : collection of str
        Classes whose times are learned from.

    Returns
    -------
    tuple of (str, str), optional
        The first such class, and the sentence; None if there is none.
    """
    shown: dict[str, list[Video]] = {}
    for video in videos:
        for label in video.labels:
            shown.setdefault(label, []).append(video)
    lengths = {
        label: [_length_s(video, length_s) for video in own]
        for label, own in shown.items()
        if len(own) < ENOUGH_LONG_VIDEOS and label not in marked
    }
    few = [
        label
        for label, own in lengths.items()
        if min(own) > 0.0 and sum(own) > LONG_VIDEOS_S * len(own)
    ]
    if not few:
        return None
    each = [seconds for label in few for seconds in lengths[label]]
    words = (
        f"a name stands for {sum(each) / len(each) / 60:.0f} minutes of video, and "
        f"fewer than {ENOUGH_LONG_VIDEOS} videos have {some(few)}, so that names "
        "may say little of where that is; mark every action in three or more of the "
        "videos and say that you watched these (--supervision segments), cut the "
        "videos into shorter ones that are labelled each, or add videos"
    )
    return few[0], words


def _length_s(video: Video, length_s: Callable[[str], float] | None) -> float:
    """Return the length of a video; 0 if it is not known."""
    if video.duration_s is not None:
        return video.duration_s
    return 0.0 if length_s is None else length_s(video.id)
