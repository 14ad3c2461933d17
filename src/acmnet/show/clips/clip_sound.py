"""The sound of a clip: cut at samples, and encoded as AAC."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from acmnet.show.rendering.sound_copy import AAC_SAMPLES, added_aac, audible, packets

LEAD_S: Final = 1
"""Seconds before the clip from which sound is decoded: the first packet that a decoder
gets after a jump may sound wrong."""

Samples = npt.NDArray[np.float32]
"""Sound of shape (channels, samples), from -1 to 1."""


class ClipSound:
    """Copies the sound of a part of a file, in step with its picture.

    Parameters
    ----------
    source : InputContainer
        The file to read; nothing else may read from it meanwhile.
    target : OutputContainer
        The file to write: a stream is added for each stream of sound, mono or stereo.
    begin_s, end_s : Fraction
        The part, in seconds of the clock of ``source``.
    seeks : bool
        Whether times can be looked up in ``source``. Otherwise it is read from the
        start.
    """

    def __init__(
        self,
        source: InputContainer,
        target: OutputContainer,
        begin_s: Fraction,
        end_s: Fraction,
        *,
        seeks: bool,
    ) -> None:
        streams = audible(source)
        self._tracks = {s.index: _Track(s, target, begin_s, end_s) for s in streams}
        lead = int((begin_s - LEAD_S) * av.time_base)
        if streams and seeks and lead > 0:
            # where nothing can be looked up, the file is read from the start
            with contextlib.suppress(av.FFmpegError):
                source.seek(lead, backward=True)
        self._begin_s, self._end_s = begin_s, end_s
        self._packets: Iterator[av.Packet[Any]] = (
            packets(source, streams) if streams else iter(())
        )
        self._waiting = next(self._packets, None)

    def write_until(self, time_s: Fraction | None) -> None:
        """Write the sound up to a time after the start of the clip; None for all."""
        until_s = self._end_s if time_s is None else self._begin_s + time_s
        while self._waiting is not None:
            packet = self._waiting
            stamp = packet.pts if packet.dts is None else packet.dts
            if stamp is not None and stamp * packet.time_base > until_s:
                break
            self._tracks[packet.stream.index].take(packet)
            self._waiting = next(self._packets, None)
        if time_s is None:
            for track in self._tracks.values():
                track.close()


class _Track:
    """One stream of sound."""

    def __init__(
        self,
        stream: AudioStream,
        target: OutputContainer,
        begin_s: Fraction,
        end_s: Fraction,
    ) -> None:
        self._target, self._begin_s = target, begin_s
        self._out = added_aac(stream, target)
        context = self._out.codec_context
        self._rate, self._layout = context.sample_rate, context.layout.name
        self._length = round((end_s - begin_s) * self._rate)
        self._resampler = AudioResampler("fltp", self._layout, self._rate)
        self._rest: Samples = np.zeros((context.channels, 0), "f4")
        self._written = 0  # samples of the clip that were encoded

    def take(self, packet: "av.Packet[Any]") -> None:
        """Decode a packet, and encode what lies in the clip; skip it if damaged."""
        with contextlib.suppress(av.FFmpegError):
            for frame in packet.decode():
                if not isinstance(frame, av.AudioFrame) or frame.pts is None:
                    continue
                at_s = frame.pts * packet.time_base - self._begin_s
                frame.pts = None
                for part in self._resampler.resample(frame):
                    samples = np.asarray(part.to_ndarray(), np.float32)
                    self._place(samples, round(at_s * self._rate))
                    at_s += Fraction(samples.shape[1], self._rate)

    def close(self) -> None:
        """Encode what is left, and what the encoder still holds."""
        if self._rest.shape[1]:
            self._encode(self._rest)
        self._target.mux(self._out.encode(None))

    def _place(self, samples: Samples, start: int) -> None:
        """Add samples that begin at a place in the clip; fill a gap with silence."""
        done = self._written + self._rest.shape[1]
        stop = min(start + samples.shape[1], self._length)
        if stop <= done:
            return
        part = samples[:, max(0, done - start) : stop - start]
        gap = max(0, start - done)
        silence = np.zeros((len(samples), gap), np.float32)
        self._rest = np.concatenate([self._rest, silence, part], axis=1)
        while self._rest.shape[1] >= AAC_SAMPLES:
            self._encode(self._rest[:, :AAC_SAMPLES])
            self._rest = self._rest[:, AAC_SAMPLES:]

    def _encode(self, samples: Samples) -> None:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format="fltp", layout=self._layout
        )
        frame.sample_rate, frame.pts = self._rate, self._written
        frame.time_base = Fraction(1, self._rate)
        self._written += samples.shape[1]
        self._target.mux(self._out.encode(frame))
