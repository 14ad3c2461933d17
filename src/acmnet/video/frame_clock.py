"""The clock: when each frame of a video is shown, from what its timestamps say.

Timestamps may be missing, repeated or wrong. What this room gives only rises, and a
single frame stays for a bounded time.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

HOLD_S: Final = 10
"""A step ahead up to this is always believed (ffmpeg: ``-dts_delta_threshold``)."""
LONGEST_HOLD_S: Final = 3600
"""A step ahead above this is never believed."""
LONGEST_CLAIM_S: Final = 86_400
"""A header that claims more than a day is not believed."""
LATE_S: Final = 1
"""A step back up to this is a late frame; above, another clock."""
DEFAULT_FPS: Final = 25
PLAUSIBLE_FPS: Final = (1, 240)


class FrameClock:
    """When each frame is shown, in exact seconds after the first one.

    Parameters
    ----------
    nominal_s : Fraction
        Duration of a frame where no timestamp tells it.
    claimed_s : Fraction
        Duration of the video as its header claims it, 0 where it does not: a step
        ahead of more than 10 s (and up to an hour) is believed if it ends within.
        More than a day counts as 0.

    Examples
    --------
    >>> clock = FrameClock(Fraction(1, 25), claimed_s=Fraction(0))
    >>> stamps_s = [Fraction(7), Fraction(8), None, Fraction(9), Fraction(1000)]
    >>> [float(clock.time_of(stamp_s)) for stamp_s in stamps_s]
    [0.0, 1.0, 1.04, 2.0, 2.04]
    """

    def __init__(self, nominal_s: Fraction, claimed_s: Fraction) -> None:
        self._nominal_s = nominal_s
        self._claimed_s = claimed_s if claimed_s <= LONGEST_CLAIM_S else Fraction(0)
        self._time_s: Fraction | None = None
        self._step_s = nominal_s
        self._shift_s: Fraction | None = None
        self._former_shift_s: Fraction | None = None

    def time_of(self, stamp_s: Fraction | None) -> Fraction:
        """Return when the next frame is shown, given its timestamp if it has one.

        Notes
        -----
        The timestamp relative to the first one, except: a frame without one comes one
        nominal duration after the one before; so does one after a jump, and the clock
        goes on from there. A jump is a step back by more than 1 s, or a step ahead that
        is not to be believed. If the clock before the jump explains a later frame, it
        is taken up again: a single wrong timestamp moves nothing else. A frame that is
        late by up to 1 s comes half a nominal duration after the one before.
        """
        if self._time_s is None:
            self._time_s = Fraction(0)
            self._shift_s = None if stamp_s is None else -stamp_s
        else:
            self._step_s = self._step(self._time_s, stamp_s)
            self._time_s += self._step_s
        return self._time_s

    def end_of(self, duration_s: Fraction) -> Fraction:
        """Return when the last frame ends, given the duration that it claims.

        One that is not to be believed is replaced by that of the frame before.
        """
        is_known = self._is_believed(duration_s)
        return (self._time_s or 0) + (duration_s if is_known else self._step_s)

    def _step(self, before_s: Fraction, stamp_s: Fraction | None) -> Fraction:
        """Return the time from the frame before to one with this timestamp."""
        if stamp_s is None:
            return self._nominal_s
        if self._shift_s is not None:
            step_s = stamp_s + self._shift_s - before_s
            if self._is_believed(step_s):
                return step_s
            if -LATE_S <= step_s <= 0:
                return self._nominal_s / 2
        if self._former_shift_s is not None:
            step_s = stamp_s + self._former_shift_s - before_s
            if 0 < step_s <= LATE_S:
                self._shift_s, self._former_shift_s = self._former_shift_s, None
                return step_s
        self._former_shift_s = self._shift_s
        self._shift_s = before_s + self._nominal_s - stamp_s
        return self._nominal_s

    def _is_believed(self, step_s: Fraction) -> bool:
        """Tell whether a frame may stay for so long."""
        if step_s <= HOLD_S:
            return step_s > 0
        end_s = (self._time_s or 0) + step_s
        return step_s <= LONGEST_HOLD_S and end_s <= self._claimed_s + LATE_S


def nominal_duration(rates: Iterable[Fraction | None]) -> Fraction:
    """Return the frame duration of the first frame rate that is from 1 to 240.

    Without any, 1/25 s.
    """
    low, high = PLAUSIBLE_FPS
    plausible = (rate for rate in rates if rate and low <= rate <= high)
    return 1 / next(plausible, Fraction(DEFAULT_FPS))
