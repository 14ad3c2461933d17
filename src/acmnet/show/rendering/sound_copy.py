"""Sound is copied from one video file to another, without encoding it if possible."""

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, Final

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from acmnet.video.containers import CLOCK_MAY_JUMP

AAC_RATES: Final = (
    *(8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    *(64_000, 88_200, 96_000),
)
AAC_SAMPLES: Final = 1024
"""Samples in one packet of AAC."""


class Sound:
    """Copies the sound of a file to another one, along with its picture.

    Parameters
    ----------
    source : InputContainer
        The file to copy from; nothing else may read from it meanwhile.
    target : OutputContainer
        The file to copy to: a stream is added for each stream of sound. Sound in a
        codec that it can hold is copied packet by packet; other sound is encoded as
        AAC, mono or stereo.
    """

    def __init__(self, source: InputContainer, target: OutputContainer) -> None:
        self._target = target
        self._start_s = start_s(source)
        self._outs: dict[int, AudioStream] = {}
        self._encoded: dict[int, AudioResampler] = {}
        self._last: dict[int, int] = {}
        self.dropped = 0
        """How many packets were left out, because they were damaged or duplicates."""
        streams = audible(source)
        for stream in streams:
            if stream.codec_context.name in target.supported_codecs:
                self._outs[stream.index] = target.add_stream_from_template(stream)
                continue
            out = added_aac(stream, target)
            self._outs[stream.index] = out
            self._encoded[stream.index] = AudioResampler(
                out.codec_context.format,
                out.codec_context.layout,
                out.codec_context.sample_rate,
                frame_size=AAC_SAMPLES,
            )
        self._packets = packets(source, streams) if streams else iter(())
        self._next = next(self._packets, None)

    def copy_until(self, time_s: Fraction | None) -> None:
        """Copy the sound up to a time after the start of the file; None for all."""
        while self._next is not None:
            packet = self._next
            stamp = packet.dts if packet.pts is None else packet.pts
            at_s = (stamp or 0) * packet.time_base - self._start_s
            if time_s is not None and at_s > time_s:
                return
            self._copy(packet)
            self._next = next(self._packets, None)
        if time_s is None:
            for index, resampler in self._encoded.items():
                self._encode(index, resampler.resample(None))
                self._target.mux(self._outs[index].encode(None))

    def _copy(self, packet: "av.Packet[AudioStream]") -> None:
        """Write one packet, encoded again if need be."""
        index = packet.stream.index
        shift = round(self._start_s / packet.time_base)
        if index in self._encoded:
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self.dropped += 1
                return
            for frame in frames:
                if frame.pts is not None:
                    frame.pts -= shift
                self._encode(index, self._encoded[index].resample(frame))
            return
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is None or stamp <= self._last.get(index, stamp - 1):
            self.dropped += 1
            return
        self._last[index] = stamp
        packet.dts = stamp - shift
        packet.pts = (stamp if packet.pts is None else packet.pts) - shift
        packet.stream = self._outs[index]
        try:
            self._target.mux(packet)
        except (av.InvalidDataError, av.ArgumentError):
            self.dropped += 1  # MP4 cannot hold every damaged packet

    def _encode(self, index: int, frames: list[av.AudioFrame]) -> None:
        """Encode sound and write it."""
        for frame in frames:
            self._target.mux(self._outs[index].encode(frame))


def audible(source: InputContainer) -> list[AudioStream]:
    """Return the streams of sound whose codec and rate are known."""
    contexts = ((stream, stream.codec_context) for stream in source.streams.audio)
    return [
        stream
        for stream, context in contexts
        if context is not None and context.sample_rate
    ]


def added_aac(stream: AudioStream, target: OutputContainer) -> AudioStream:
    """Add a stream to a file, in which a stream of sound is encoded as AAC.

    It is mono or stereo, and keeps the rate if AAC has it.
    """
    context = stream.codec_context
    rate = context.sample_rate if context.sample_rate in AAC_RATES else 48_000
    out = target.add_stream("aac", rate=rate)
    out.codec_context.layout = "mono" if context.channels == 1 else "stereo"
    return out


def packets(
    container: InputContainer, streams: Sequence[Any]
) -> Iterator["av.Packet[Any]"]:
    """Yield the packets of streams, until the end or until damage stops reading."""
    with contextlib.suppress(av.FFmpegError, IndexError):
        for packet in container.demux(*streams):
            if packet.size:
                yield packet


def start_s(container: InputContainer) -> Fraction:
    """Return the time that counts as 0: the start, if the clock may start anywhere."""
    if not container.format.flags & CLOCK_MAY_JUMP:
        return Fraction(0)
    return max(Fraction(0), Fraction(container.start_time or 0, av.time_base))
