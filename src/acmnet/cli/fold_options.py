"""Options of the verbs that deal videos into folds."""

import dataclasses
from typing import Annotated, Final, NamedTuple

from cyclopts import Parameter

from acmnet.cli.app import note
from acmnet.data.labelled_features import Data
from acmnet.data.video_groups import VideoGroups, read_groups

FOLDS: Final = 4
"""Folds of videos without groups unless told otherwise."""
MOST_FOLDS: Final = 5
"""Folds of videos with groups unless told otherwise; fewer where groups are fewer."""

TOO_GOOD: Final = (
    "videos of one person, camera, source or day may lie in several folds, and then "
    "the estimate is better than what new videos will give; --groups keeps such "
    "videos in one fold"
)


class Deal(NamedTuple):
    """How videos are dealt into folds."""

    folds: int
    groups: VideoGroups | None

    @property
    def words(self) -> str:
        """How many folds, and by what groups, for a title."""
        if self.groups is None:
            return f"{self.folds} folds"
        return f"{self.folds} folds of {self.groups.n_groups} groups"


@dataclasses.dataclass(frozen=True)
class FoldOptions:
    """How many folds, and which videos belong together."""

    folds: int | None = None
    """Parts that the videos are dealt into, the same for every seed, with every class
    in each of them where possible; a class needs two videos or more. When left out, 4,
    or with --groups as many as there are groups, at most 5."""
    groups: str | None = None
    """Videos of one group (a person, camera, source or day) stay in one fold, so that
    the estimate holds for new ones: a CSV with the columns video,group, or the name of
    a column of the label file."""

    def told(self, data: Data) -> Deal:
        """Return how videos are dealt, and say what groups would change."""
        if self.groups is None:
            note(TOO_GOOD)
        return self.deal(data)

    def deal(self, data: Data) -> Deal:
        """Return how the videos of a label file are dealt.

        Raises
        ------
        GroupError
            If the groups cannot be used.
        """
        if self.groups is None:
            return Deal(FOLDS if self.folds is None else self.folds, None)
        groups = read_groups(
            self.groups, data.source.annotations, data.annotations.videos
        )
        usual = min(MOST_FOLDS, groups.n_groups)
        return Deal(usual if self.folds is None else self.folds, groups)


Folding = Annotated[FoldOptions, Parameter(name="*")]
