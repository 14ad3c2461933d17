"""The options --min-score, --top and --all, of every verb that shows detections.

`left_out_sentence` says what these limits left out, in the same words for every verb.
"""

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from acmnet.cli.terminal.app import UsageError
from acmnet.data.detections.shown_detections import Shown
from acmnet.messages import counted
from acmnet.segments import Detections, FloatArray


@dataclasses.dataclass(frozen=True)
class LimitOptions:
    """Which detections are shown: by default, those above a score of the run's own.

    Raises
    ------
    UsageError
        If a limit is not finite or below 1, or is given together with --all.
    """

    min_score: float | None = None
    """Leave out detections with a lower score. When left out, the limit is the score
    that was chosen at the end of training, by labels alone."""
    top: int | None = None
    "Keep at most this many detections of a video, those with the highest scores."
    everything: Annotated[bool, Parameter(name="--all", negative=())] = False
    "Show every detection, however low its score."

    def __post_init__(self) -> None:
        """Refuse limits that cannot be applied."""
        try:
            limits = self.given()
        except ValueError as error:
            raise UsageError(f"--{str(error).replace('_', '-')}") from None
        if self.everything and limits != Shown():
            raise UsageError(
                "--all leaves nothing out, so it cannot be given with --min-score or "
                "--top"
            )

    def given(self) -> Shown:
        """Return the limits that the user gave, without any default."""
        return Shown(self.min_score, self.top)

    def shown(self, from_score: float | None, top: int | None = None) -> Shown:
        """Return the limits that the user gave, or else the defaults.

        Parameters
        ----------
        from_score, top
            The defaults of --min-score and of --top; None for no limit.
        """
        if self.everything:
            return Shown()
        return Shown(
            from_score if self.min_score is None else self.min_score,
            top if self.top is None else self.top,
        )


Limits = Annotated[LimitOptions, Parameter(name="*")]


def left_out_of_all(
    results: Mapping[str, Detections],
    shown: Mapping[str, Detections],
    rule: Shown,
    done: str,
    does: str,
) -> str | None:
    """Return `left_out_sentence` of the detections of many videos.

    ``results`` are all detections of each video, and ``shown`` those that are shown.
    """
    score = np.concatenate([np.zeros(0), *(x.score for x in results.values())])
    n_shown = sum(map(len, shown.values()))
    return left_out_sentence(score, n_shown, rule, done, does)


def left_out_sentence(
    score: FloatArray, n_shown: int, rule: Shown, done: str, does: str
) -> str | None:
    """Return how many detections are left out, why, and how to see them.

    Parameters
    ----------
    score : array of shape (N,)
        The scores of everything that was found, in any order.
    n_shown : int
        How many of the N detections are shown; None is returned if all are.
    rule : Shown
        The limits.
    done, does : str
        What the verb does with what it shows, such as "drawn" and "draws".

    Examples
    --------
    >>> score = np.array([0.9, 0.4, 0.2])
    >>> left_out_sentence(score, 1, Shown(min_score=0.5), "cut", "cuts")[:55]
    '1 of 3 detections is cut: scores of 0.5 or more; --all '
    """
    if n_shown == len(score):
        return None
    least = rule.min_score
    if not n_shown and least is not None:
        return (
            f"none of {counted(len(score), 'detection')} is {done}: the highest score "
            f"is {score.max():.3g}, and scores below {least:.3g} are left out; --all "
            f"{does} all of them, --min-score X sets another limit"
        )
    which = "" if rule.top is None else f"the {rule.top} with the highest scores"
    if rule.top == 1:
        which = "the one with the highest score"
    limits = [f"{which} of each video"] if which else []
    limits += [] if least is None else [f"scores of {least:.3g} or more"]
    shown = counted(n_shown, "detection", ("is", "are"), of=len(score))
    return (
        f"{shown} {done}: {', '.join(limits)}; --all {does} all of them, --min-score X "
        "and --top N set other limits"
    )
