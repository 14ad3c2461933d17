"""The limits --min-score, --top and --all, of every verb that shows detections."""

from acmnet.cli.app import UsageError
from acmnet.data.shown_detections import Shown


def limits_given(min_score: float | None, top: int | None, everything: bool) -> Shown:
    """Return what --min-score and --top leave out.

    Raises
    ------
    UsageError
        If a limit is one that nobody means, or stands beside --all.
    """
    try:
        limits = Shown(min_score, top)
    except ValueError as error:
        raise UsageError(f"--{str(error).replace('_', '-')}") from None
    if everything and limits != Shown():
        raise UsageError("--all leaves nothing out: give it, or --min-score, --top")
    return limits
