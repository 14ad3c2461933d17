"""What the server of the bench serves: the page, the marks, the media, the rounds."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from acmnet.data.detections.detection_arrays import DetectionFile
from acmnet.data.detections.detection_files import read_detections
from acmnet.messages import one_line
from acmnet.show.bench.bench_media import BenchMedia
from acmnet.show.bench.bench_page import bench_file, bench_page
from acmnet.show.bench.marks.bench_labels import KnownVideo, Labels, problems_in
from acmnet.show.bench.marks.bench_mark import MarkError
from acmnet.show.bench.marks.mark_changes import ConflictError
from acmnet.show.bench.marks.mark_store import InUseError, MarkStore
from acmnet.show.bench.rounds.learning import CannotLearnError, Learning
from acmnet.show.bench.rounds.round_detections import RoundDetections, rows_of
from acmnet.show.bench.rounds.round_folders import DETECTIONS, Round, rounds_in
from acmnet.show.bench.rounds.round_scores import scores_of, truth_of
from acmnet.show.bench.rounds.suggesting import Suggesting
from acmnet.show.bench.server.page_server import (
    Answer,
    Refusal,
    json_answer,
    new_token,
    not_found,
)
from acmnet.video.containers import VideoError

KEYS: Final = "1234567890qwertyuiopasdfghjklzxcvbnm"
"""Keys of the classes, in their order; further classes have none."""
PATHS: Final = re.compile(
    r"/(?:(media)/(\d{1,8})|(frames)/(\d{1,8})\.json|(strip)/(\d{1,8})\.jpg"
    r"|(frame)/(\d{1,8})/(\d{1,9})\.jpg|(rounds)/(\d{1,8})/detections\.json)",
    re.ASCII,
)
"""Pattern of the paths that have numbers."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShownVideo:
    """What the page shows of a video besides its marks and its file."""

    truth: tuple[dict[str, Any], ...] = ()
    """True segments by the label file of a run, with label, start_s and end_s."""
    names: tuple[str, ...] = ()
    """Names by the label file of a run, of a video that it was not trained on."""
    duration_s: float | None = None
    """Length if there is no file that tells it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchSite:
    """One bench: everything that its page can ask for."""

    title: str
    who: str
    """Name of the person at this machine, for a page that knows none yet."""
    videos: Mapping[str, ShownVideo]
    """The videos on the page, in the order of the numbers of ``media``."""
    store: MarkStore
    media: BenchMedia
    detections: RoundDetections
    learning: Learning
    run: Path | None = None
    """The run that was opened; None for labels without one."""
    run_notes: Sequence[str] = ()
    """Remarks that a reader needs before believing what the run found."""
    first_found: Callable[[], DetectionFile | None] = lambda: None
    """Returns what the run that was opened found, as round 0; None without a run."""
    refresh: Callable[[], None] = lambda: None
    """Called before a page is opened: a run that is still training finds anew."""
    suggesting: Suggesting = dataclasses.field(default_factory=Suggesting)
    """Finds out which videos are worth a look."""
    outside: Callable[[], str] = lambda: ""
    """Returns a sentence on a training of the run that another process does."""
    token: str = dataclasses.field(default_factory=new_token)
    _found_problems: dict[int, list[dict[str, Any]]] = dataclasses.field(
        default_factory=dict, init=False, repr=False
    )

    # ---- answers to GET

    def get(self, path: str) -> Answer | Path:
        """Return the answer to a request, or the video file to send."""
        path, _, query = path.partition("?")
        if path == "/":
            return Answer(bench_page(self.token).encode(), "text/html; charset=utf-8")
        whole = {
            "/bench.json": self._everything,
            "/detections.json": self._shown_detections,
            "/learn.json": self._learning_state,
            "/rounds.json": self._rounds,
        }.get(path)
        if whole is not None:
            return json_answer(whole())
        if path == "/marks.json":
            return json_answer(self._since(query))
        match = PATHS.fullmatch(path)
        if match is None or query:
            shipped = bench_file(path)
            if shipped is not None:
                return Answer(*shipped)
            raise not_found()
        kind, *numbers = (x for x in match.groups() if x is not None)
        return self._numbered(kind, [int(x) for x in numbers])

    def _numbered(self, kind: str, numbers: Sequence[int]) -> Answer | Path:
        """Return what belongs to a video or a round by its number."""
        if kind == "rounds":
            return json_answer(self._detections_of_round(numbers[0]))
        if numbers[0] >= len(self.media.files) or not self.media.files[numbers[0]]:
            raise not_found()
        try:
            return self._of_video(kind, *numbers)
        except VideoError as error:
            raise Refusal(HTTPStatus.NOT_FOUND, one_line(error)) from None

    def _of_video(self, kind: str, place: int, index: int = 0) -> Answer | Path:
        """Return the file of a video, its times, its strip, or one frame."""
        file = self.media.files[place]
        if kind == "media" and file is not None:
            return file
        if kind == "frames":
            times = self.media.times_json(place)
            known_s = self.media.headers[place].duration_s
            if known_s is not None:
                self.store.set_duration(list(self.videos)[place], known_s)
            return Answer(times)
        if kind == "strip":
            strip = self.media.strip(place)
            if strip is None:
                return json_answer({"state": "being made"}, HTTPStatus.ACCEPTED)
            return Answer(strip, "image/jpeg")
        picture = self.media.picture(place, index)
        if picture is None:
            raise not_found()
        return Answer(picture, "image/jpeg")

    def _everything(self) -> dict[str, Any]:
        """Return the content of bench.json."""
        self.refresh()
        labels = self.store.snapshot()
        shown = set(self.videos)
        suggested = self.suggesting.of_videos()
        why_not = self.learning.method.why_not
        notes = [*self.store.notes, *self.run_notes, self.store.fault, self.outside()]
        return {
            "who": self.who,
            "revision": labels.revision,
            "title": self.title,
            "labels": str(self.store.labels.resolve()),
            "run": None if self.run is None else str(self.run.resolve()),
            "classes": _with_keys(labels.classes),
            "model": self.detections.round is not None,
            "round": self.detections.round,
            "detections_version": self.detections.version,
            "shown_from": self.detections.shown_from,
            "learn": {"possible": not why_not, "why_not": why_not or None},
            "notes": [sentence for sentence in notes if sentence],
            "videos": [
                self._video(place, video, suggested.get(video))
                for place, video in enumerate(self.videos)
            ],
            "marks": [x.to_json() for x in labels.marks if x.video in shown],
            "problems": self._problems(labels),
        }

    def _problems(self, labels: Labels) -> list[dict[str, Any]]:
        """Return the contradictions among the marks, found once for each revision."""
        known = self._found_problems.get(labels.revision)
        if known is None:
            known = problems_in(labels)
            self._found_problems.clear()
            self._found_problems[labels.revision] = known
        return known

    def _video(
        self, place: int, video: str, suggestion: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Return what the page needs to know of a video before it is opened."""
        header, shown = self.media.headers[place], self.videos[video]
        has_file = self.media.files[place] is not None
        kind = self.media.type_of(place)
        return {
            "id": video,
            "url": f"media/{place}" if kind else None,
            "type": kind,
            "duration_s": header.duration_s or shown.duration_s,
            "n_frames": header.n_frames,
            "frame_times_url": f"frames/{place}.json" if has_file else None,
            "strip_url": f"strip/{place}.jpg" if has_file else None,
            "frame_url": f"frame/{place}/" if has_file else None,
            "names": list(shown.names),
            "truth": list(shown.truth),
            "detections": self.detections.of(video),
            "suggestion": suggestion,
        }

    def _since(self, query: str) -> dict[str, Any]:
        """Return the marks that changed since a revision."""
        since = parse_qs(query).get("since", [""])[-1]
        if not (since.isascii() and since.isdecimal() and len(since) < 16):
            raise Refusal(
                HTTPStatus.BAD_REQUEST, f"since must be a revision, got {since!r}"
            )
        changed = self.store.since(int(since))
        if int(since) > changed.revision:
            raise Refusal(
                HTTPStatus.CONFLICT,
                "the labels are others than before; reload the page",
            )
        labels = self.store.snapshot()
        return {
            "revision": changed.revision,
            "marks": [x.to_json() for x in changed.marks if x.video in self.videos],
            "classes": _with_keys(labels.classes),
            "problems": self._problems(labels),
            "detections_version": self.detections.version,
            "fault": self.store.fault or None,
        }

    def _shown_detections(self) -> dict[str, Any]:
        """Return the shown detections of all videos."""
        return {
            "round": self.detections.round,
            "detections_version": self.detections.version,
            "shown_from": self.detections.shown_from,
            "videos": {video: self.detections.of(video) for video in self.videos},
            "suggestions": self.suggesting.of_videos(),
        }

    def _detections_of_round(self, number: int) -> dict[str, Any]:
        """Return the detections of one round."""
        file = self.first_found() if number == 0 else None
        path = self.learning.folder / f"{number:03}" / DETECTIONS
        if number and path.is_file():
            file = read_detections(path)
        if file is None:
            raise not_found()
        rows = rows_of(file)
        videos = {video: rows.get(video, []) for video in self.videos}
        return {"round": number, "shown_from": file.shown_from, "videos": videos}

    def _learning_state(self) -> dict[str, Any]:
        """Return how far learning is."""
        learning = self.learning.state()
        return learning | {
            "detections_version": self.detections.version,
            "outside": self.outside(),
        }

    def _rounds(self) -> dict[str, Any]:
        """Return the rounds that ended well."""
        done = [round_ for round_ in rounds_in(self.learning.folder) if round_.is_done]
        if not done:
            return {"rounds": []}
        truth = truth_of(self.store.snapshot())
        learned: set[str] = set()
        rounds = []
        for round_ in done:
            learned |= round_.learned_from
            rounds.append(_round_values(round_, scores_of(round_, learned, truth)))
        return {"rounds": rounds}

    # ---- answers to POST

    def post(self, path: str, values: Any) -> Answer:
        """Store marks or a class, or begin or stop a round of learning."""
        act = {
            "/marks": self._put,
            "/classes": self._add_class,
            "/learn": self._learn,
        }.get(path)
        if act is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "nothing can be posted here")
        try:
            return act(values)
        except ConflictError as error:
            current = [mark.to_json() for mark in error.current]
            more = {"conflicts": current}
            raise Refusal(HTTPStatus.CONFLICT, one_line(error), more) from None
        except (InUseError, CannotLearnError) as error:
            raise Refusal(HTTPStatus.CONFLICT, one_line(error)) from None
        except MarkError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, one_line(error)) from None

    def _put(self, values: Any) -> Answer:
        stored = self.store.put(values)
        self.learning.prepare()
        return json_answer(
            {
                "revision": stored.revision,
                "marks": [mark.to_json() for mark in stored.marks],
                "twins": [mark.to_json() for mark in stored.twins],
                "problems": self._problems(self.store.snapshot()),
            }
        )

    def _add_class(self, values: Any) -> Answer:
        classes = self.store.add_class(values)
        answer = {"revision": self.store.revision, "classes": _with_keys(classes)}
        return json_answer(answer)

    def _learn(self, values: Any) -> Answer:
        if isinstance(values, dict) and values.get("stop"):
            self.learning.stop()
            return json_answer(self.learning.state(), HTTPStatus.ACCEPTED)
        self.store.flush()
        number = self.learning.start(self.store.snapshot())
        self.suggesting.stop()  # the new round will suggest others
        return json_answer({"round": number}, HTTPStatus.ACCEPTED)


def known_videos(
    videos: Mapping[str, ShownVideo], media: BenchMedia
) -> dict[str, KnownVideo]:
    """Return what the store needs to know of the videos on the page."""
    return {
        video: KnownVideo(media.headers[place].duration_s or shown.duration_s)
        for place, (video, shown) in enumerate(videos.items())
    }


def _with_keys(classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return classes with the key of each; None for those beyond the last key."""
    keys = [*KEYS, *[None] * len(classes)]
    return [
        {"name": name, "key": key} for name, key in zip(classes, keys, strict=False)
    ]


def _round_values(round_: Round, scores: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the page shows of a round."""
    request = round_.request
    return {
        "number": round_.number,
        "at": None if request is None else request.at,
        "n_marks": None if request is None else request.n_marks,
        "n_videos": None if request is None else request.n_videos,
        "seconds": round_.state.get("seconds"),
        "scores": scores,
        "detections_url": f"rounds/{round_.number}/detections.json",
        "folder": str(round_.folder.resolve()),
    }
