"""The options --min-score, --top and --all, of every verb that shows detections."""

import dataclasses
from typing import Annotated

from cyclopts import Parameter

from acmnet.cli.terminal.app import UsageError
from acmnet.data.detections.shown_detections import Shown


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
            given = self.given()
        except ValueError as error:
            raise UsageError(f"--{str(error).replace('_', '-')}") from None
        if self.everything and given != Shown():
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
