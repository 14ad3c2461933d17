"""Options of crossvalidate and ablate: folds, and how many trainings run at a time."""

import dataclasses
from typing import Annotated, Final, NamedTuple

from cyclopts import Parameter

from acmnet.cli.terminal.app import note
from acmnet.data.labelled_features import Data
from acmnet.data.video_groups import VideoGroups, read_groups
from acmnet.workers.worker_engines import Engine
from acmnet.workers.worker_tasks import Workers

USUAL_FOLDS: Final = 4
"""How many folds there are if neither --folds nor --groups is given."""
MOST_FOLDS: Final = 5
"""How many folds there are with --groups, unless --folds is given or there are fewer
groups."""

UNGROUPED_NOTE: Final = (
    "videos of one person, camera, source or day may lie in several folds, and then "
    "the estimate is better than what new videos will give; --groups keeps such "
    "videos in one fold"
)
"""The note on folds without groups."""


class Deal(NamedTuple):
    """How videos are dealt into folds."""

    folds: int
    """How many folds there are."""
    groups: VideoGroups | None
    """The group of each video, which stays in one fold; None for no groups."""

    @property
    def words(self) -> str:
        """The number of folds, and of groups, for a title."""
        if self.groups is None:
            return f"{self.folds} folds"
        return f"{self.folds} folds of {self.groups.n_groups} groups"


@dataclasses.dataclass(frozen=True)
class FoldOptions:
    """How many folds there are, and which videos stay together in one of them."""

    folds: int | None = None
    """How many folds the videos are dealt into, the same folds for every seed. Every
    class needs two videos or more, and is in every fold if it has enough videos. When
    left out, 4; or with --groups, as many as there are groups, at most 5."""
    groups: str | None = None
    """Which videos belong to one group, such as a person, camera, source or day: a CSV
    file with the columns video,group, or the name of a column of the label file. All
    videos of a group stay in one fold, so that the estimate holds for new groups."""

    def deal_with_note(self, data: Data) -> Deal:
        """Return how videos are dealt; print a note if they have no groups."""
        if self.groups is None:
            note(UNGROUPED_NOTE)
        return self.deal(data)

    def deal(self, data: Data) -> Deal:
        """Return how the videos of a label file are dealt into folds.

        Raises
        ------
        GroupError
            If the groups cannot be used.
        """
        if self.groups is None:
            return Deal(USUAL_FOLDS if self.folds is None else self.folds, None)
        groups = read_groups(
            self.groups, data.source.annotations, data.annotations.videos
        )
        usual = min(MOST_FOLDS, groups.n_groups)
        return Deal(usual if self.folds is None else self.folds, groups)


Folding = Annotated[FoldOptions, Parameter(name="*")]


@dataclasses.dataclass(frozen=True)
class WorkerOptions:
    """How many trainings run at the same time, and where."""

    workers: int = 1
    "How many trainings run at the same time; they share the cores and the GPUs."
    engine: Engine = "local"
    """"local" runs the trainings on this machine, "ray" on a Ray cluster (needs
    pip install 'acmnet[ray]'), whose machines all have the features and --out at the
    same paths."""

    def requested(self) -> Workers:
        """Return the workers that are asked for.

        Raises
        ------
        ValueError
            If the number of workers is below 1.
        """
        return Workers(self.workers, self.engine)


AtATime = Annotated[WorkerOptions, Parameter(name="*")]
