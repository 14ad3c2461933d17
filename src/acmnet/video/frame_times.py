"""Tell when each frame of a video is shown, from its packets and without decoding.

The times are those of the frames that `acmnet.video.frames.FrameReader` decodes. Where
packets are damaged, the decoder may give fewer frames than there are packets.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from acmnet.video.containers import (
    CLOCK_MAY_JUMP,
    DecodeCount,
    OpenVideo,
    VideoError,
    opened_video,
)
from acmnet.video.frame_clock import HOLD_S, FrameClock, nominal_duration

VP8_IS_SHOWN: Final = 0x10
"""Bit of the first byte of a VP8 packet that tells whether its frame is shown."""


class FrameTimes(NamedTuple):
    """When the n frames of a video are shown, in seconds after the first."""

    times_s: npt.NDArray[np.float64]
    """(n,) rising, the first is 0."""
    end_s: float
    """When the last frame ends."""


class _Packet(NamedTuple):
    """The time stamps of a packet, in units of the stream's clock."""

    stamp: int | None
    duration: int
    is_key: bool


class StampedTimes(NamedTuple):
    """When the n frames of a video are shown, and by which time stamps."""

    times: FrameTimes
    stamps: npt.NDArray[np.int64] | None
    """(n,) rising, in units of the stream's clock. None where frames cannot be told by
    their time stamps, because some are missing or damaged, or may be repeated."""


def frame_times(path: Path) -> FrameTimes:
    """Return when each frame of a video is shown; raises as `stamped_times`."""
    return stamped_times(path).times


def stamped_times(path: Path) -> StampedTimes:
    """Return when each frame of a video is shown, and their time stamps.

    Raises
    ------
    VideoError
        If there is no such file, or no packet of a video in it.
    """
    with opened_video(path, DecodeCount()) as video:
        packets = list(_in_order_shown(_packets(video), video.is_in_decoding_order))
        if not packets:
            raise VideoError(
                f"{path} has no frame; play it to see whether it is whole, or encode "
                "it again"
            )
        unit_s = video.stream.time_base or Fraction(1)
        regular = _regular(packets, unit_s)
        if regular is None:
            return StampedTimes(_by_clock(video, packets, unit_s), None)
        may_jump = bool(video.container.format.flags & CLOCK_MAY_JUMP)
        if may_jump or video.is_in_decoding_order:
            return StampedTimes(regular, None)
        stamps = np.array([packet.stamp for packet in packets], dtype=np.int64)
        return StampedTimes(regular, stamps)


def frame_clock(video: OpenVideo) -> FrameClock:
    """Return a clock for the frames of an open video."""
    stream = video.stream
    return FrameClock(
        nominal_duration((stream.average_rate, stream.guessed_rate)),
        video.claimed_s if video.has_reliable_duration else Fraction(0),
    )


def _packets(video: OpenVideo) -> Iterator[_Packet]:
    """Yield the packets of shown frames, in the order of the file."""
    is_vp8 = video.stream.codec_context.name in ("vp8", "libvpx")
    for packet in video.packets():
        if packet is None or packet.is_discard:
            continue
        if is_vp8 and not bytes(memoryview(packet)[:1])[0] & VP8_IS_SHOWN:
            continue
        stamp = packet.dts if video.is_in_decoding_order else packet.pts
        yield _Packet(stamp, packet.duration or 0, packet.is_keyframe)


def _in_order_shown(
    packets: Iterator[_Packet], is_in_decoding_order: bool
) -> Iterator[_Packet]:
    """Yield packets in the order in which their frames are shown.

    Frames change places only between one key frame and the next.
    """
    group: list[_Packet] = []
    for packet in packets:
        if packet.is_key and group:
            yield from _sorted(group, is_in_decoding_order)
            group = []
        group.append(packet)
    yield from _sorted(group, is_in_decoding_order)


def _sorted(group: list[_Packet], is_in_decoding_order: bool) -> list[_Packet]:
    if is_in_decoding_order or any(packet.stamp is None for packet in group):
        return group
    return sorted(group, key=lambda packet: packet.stamp or 0)


def _regular(packets: Sequence[_Packet], unit_s: Fraction) -> FrameTimes | None:
    """Return the times if all stamps rise by plausible steps, and None otherwise.

    They equal those of `FrameClock`, in a tenth of a second for an hour of video.
    """
    if any(packet.stamp is None for packet in packets):
        return None
    stamps = np.array([packet.stamp for packet in packets], dtype=np.int64)
    steps = np.diff(stamps)
    longest = int(HOLD_S / unit_s)
    last = packets[-1].duration
    if not (0 < last <= longest) or (steps <= 0).any() or (steps > longest).any():
        return None
    ticks = stamps - stamps[0]
    scale, whole = unit_s.numerator, unit_s.denominator
    return FrameTimes(ticks * scale / whole, float((int(ticks[-1]) + last) * unit_s))


def _by_clock(
    video: OpenVideo, packets: Sequence[_Packet], unit_s: Fraction
) -> FrameTimes:
    """Return the times from `FrameClock`, which handles damaged timestamps."""
    clock = frame_clock(video)
    times_s = [
        float(clock.time_of(None if x.stamp is None else x.stamp * unit_s))
        for x in packets
    ]
    end_s = clock.end_of(packets[-1].duration * unit_s)
    return FrameTimes(np.array(times_s), float(end_s))
