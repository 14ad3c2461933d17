"""Which commands a round of learning consists of, and how much of them is done."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from acmnet.data.features.stored_features import RECORDS
from acmnet.messages import counted
from acmnet.recipes import Settings
from acmnet.show.bench.rounds.log_tail import values_of
from acmnet.show.bench.rounds.round_folders import DETECTIONS, LABELS, REQUEST, Round
from acmnet.show.bench.rounds.suggesting import MOST_SUGGESTED
from acmnet.show.bench.rounds.training_epochs import epochs_of

COMMAND_SHARES: Final = {"extract": 0.75, "train": 0.22, "localize": 0.03}
"""Shares of a round that the commands take, about: extraction takes the longest."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoundPlan:
    """How the rounds of a bench learn."""

    features: Path
    """The folder of the features."""
    videos: Path | None = None
    """The folder of the videos whose features are extracted, or whose tracks have the
    features; None if all features are there."""
    files: Mapping[str, Path] = dataclasses.field(default_factory=dict)
    """The video files by id, of which features are needed."""
    extracting: tuple[str, ...] = ()
    """Options of `acmnet extract`: the extractor and its settings."""
    options: tuple[str, ...] = ()
    """Options of `acmnet train`: recipe, profile, settings."""
    device: str = "auto"
    settings: Settings = dataclasses.field(default_factory=Settings)
    """What the options set, and the values of all other settings."""
    first: Path | None = None
    """The run that the first round begins from; None to begin from nothing."""
    first_classes: tuple[str, ...] = ()
    """The classes of that run."""

    def steps(self, one: Round, before: Round | None) -> list[list[str]]:
        """Return the commands of a round; see `learning.Method`."""
        where = ["--features", str(self.features), "--device", self.device]
        start, known = self.first, self.first_classes
        if before is not None:
            start, known = before.folder, before.classes
        if not set(known) & set(one.classes):
            start = None
        train = [
            *("train", "--annotations", str(one.folder / LABELS), *where),
            *("--out", str(one.folder), "--resume", "--skip-missing"),
            *("--supervision", "all", *self.options),
            *([] if start is None else ["--from", str(start)]),
        ]
        found = str(one.folder / DETECTIONS)
        localize = ["localize", "--run", str(one.folder), *where, "--out", found]
        return [*self._extract(), train, localize]

    def suggest(self, run: Path, file: Path) -> list[str]:
        """Return the command that writes which videos are worth a look by a run.

        All that the labels of a round hold counts as seen, also watched spans that it
        was not given (D-163).
        """
        is_round = (run / REQUEST).is_file()
        seen = ["--marks", str(run / LABELS)] if is_round else []
        where = ["--features", str(self.features), "--device", self.device]
        return [
            "suggest",
            str(run),
            *where,
            *seen,
            "--count",
            str(MOST_SUGGESTED),
            "--out",
            str(file),
        ]

    def _extract(self) -> list[list[str]]:
        """Return the command that extracts what is missing, if anything is."""
        if self.videos is None or not (set(self.files) - self._extracted()):
            return []
        where = ["--out", str(self.features), "--device", self.device]
        return [["extract", str(self.videos), *where, *self.extracting]]

    def _extracted(self) -> set[str]:
        """Return the videos that have features, or are known to give none."""
        records = self.features / RECORDS
        done = {path.stem for path in records.glob("*.json")}
        failed = set()
        for path in self.features.glob("failed*.jsonl"):
            for line in path.read_text(encoding="utf-8").splitlines():
                values = values_of(line)
                failed.add(str(values.get("video")))
        return done | failed

    def progress(self, one: Round, step: str) -> tuple[float, str]:
        """Return how much of a round is done; see `learning.Method`.

        Parameters
        ----------
        one : Round
            The round.
        step : str
            Its present command; empty before the first.
        """
        request = one.request
        steps = request.steps if request is not None else ()
        names = [x[0] for x in steps]
        if step not in names:
            return 0.0, "starting"
        total = sum(COMMAND_SHARES[name] for name in names)
        before = sum(COMMAND_SHARES[name] for name in names[: names.index(step)])
        if step == "extract":
            done, sentence = self._of_extraction()
        elif step == "train":
            done, sentence = self._of_training(one.folder, _earlier_run(steps))
        else:
            done, sentence = 0.0, "finding actions in all videos"
        return (before + done * COMMAND_SHARES[step]) / total, sentence

    def _of_extraction(self) -> tuple[float, str]:
        n = len(set(self.files) & self._extracted())
        total = len(self.files)
        return n / max(total, 1), f"extracting features: {n} of {total} videos"

    def _of_training(self, run: Path, earlier: Path | None) -> tuple[float, str]:
        """Return how much of a training is done, which may be from an earlier run."""
        done, total, may_end_early = epochs_of(run, self.settings, earlier)
        of = "at most " * may_end_early + counted(total, "epoch")
        return done / total, f"training: {done} of {of}"


def _earlier_run(steps: Sequence[Sequence[str]]) -> Path | None:
    """Return the run that the training of a round begins with, from its commands."""
    for words in steps:
        if "--from" in words:
            return Path(words[list(words).index("--from") + 1])
    return None
