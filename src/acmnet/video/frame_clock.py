"""Tell from timestamps, which may be damaged, when each frame of a video is shown.

Timestamps may be missing, repeated or wrong. The times of this module always increase,
and no frame is shown longer than a limit.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

HOLD_S: Final = 10
"""Seconds from one timestamp to the next that are always accepted, as in ffmpeg
(``-dts_delta_threshold``)."""
LONGEST_HOLD_S: Final = 3600
"""Seconds from one timestamp to the next above which a timestamp counts as damaged."""
LONGEST_CLAIM_S: Final = 86_400
"""Duration in seconds (a day) above which the claim of a header is ignored."""
LATE_S: Final = 1
"""Seconds by which a timestamp may lie before the last one, because a frame comes late.
A larger step back means that the clock was reset."""
DEFAULT_FPS: Final = 25
PLAUSIBLE_FPS: Final = (1, 240)


class FrameClock:
    """Computes when each frame is shown, in exact seconds after the first frame.

    Parameters
    ----------
    nominal_s : Fraction
        Duration of a frame whose timestamps do not state one.
    claimed_s : Fraction
        Duration of the video that its header claims; 0 if it claims none. A step of
        more than 10 s, and up to an hour, is accepted if it ends within this duration.
        A claim of more than a day counts as 0.

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
        """Return the time of the next frame, given its timestamp or None.

        Notes
        -----
        Usually the time is the timestamp minus the first timestamp. There are three
        exceptions. A frame without a timestamp comes one nominal duration after the
        frame before. So does a frame after a jump, from which the clock then goes on; a
        jump is a step back by more than 1 s, or a step ahead that is not accepted. If a
        later timestamp fits the clock before the jump, that clock is used again, so a
        single wrong timestamp changes no other times. A frame that is late by up to 1 s
        comes half a nominal duration after the frame before.
        """
        if self._time_s is None:
            self._time_s = Fraction(0)
            self._shift_s = None if stamp_s is None else -stamp_s
        else:
            self._step_s = self._step(self._time_s, stamp_s)
            self._time_s += self._step_s
        return self._time_s

    def end_of(self, duration_s: Fraction) -> Fraction:
        """Return when the last frame ends, given the duration in its packet.

        A duration that is not accepted is replaced by that of the frame before.
        """
        is_known = self._is_plausible(duration_s)
        return (self._time_s or 0) + (duration_s if is_known else self._step_s)

    def _step(self, before_s: Fraction, stamp_s: Fraction | None) -> Fraction:
        """Return the time from the frame before to a frame with this timestamp."""
        if stamp_s is None:
            return self._nominal_s
        if self._shift_s is not None:
            step_s = stamp_s + self._shift_s - before_s
            if self._is_plausible(step_s):
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

    def _is_plausible(self, step_s: Fraction) -> bool:
        """Return whether a frame may be shown for this duration."""
        if step_s <= HOLD_S:
            return step_s > 0
        end_s = (self._time_s or 0) + step_s
        return step_s <= LONGEST_HOLD_S and end_s <= self._claimed_s + LATE_S


def nominal_duration(rates: Iterable[Fraction | None]) -> Fraction:
    """Return the duration of a frame at the first frame rate that is from 1 to 240.

    If there is no such rate, it is 1/25 s.
    """
    low, high = PLAUSIBLE_FPS
    plausible = (rate for rate in rates if rate and low <= rate <= high)
    return 1 / next(plausible, Fraction(DEFAULT_FPS))
