"""The network of a live run: frames in, pictures out, what each cost, and another model at a word."""

from __future__ import annotations

import dataclasses
from typing import Any

from edge_sr.camera.pacing.deadline import Cost
from edge_sr.camera.pictures import Picture, Size
from edge_sr.camera.static_tiles import StillUpscaler, Work
from edge_sr.upscaler import Encoded, Upscaler

# Below this share of a frame, what it would have cost as a whole is a guess.
TELLING_SHARE = 0.05


@dataclasses.dataclass(frozen=True)
class Choice:
    """A model, its backend and its precision, by name; without ``threads``, all cores."""

    model: str
    backend: str
    precision: str
    threads: int | None = None


class Engine:
    """An open ``Upscaler`` with its still tiles. All calls come from one thread."""

    def __init__(self, choice: Choice, threshold: int) -> None:
        self._threshold = threshold
        self.reused = 0
        self.work = Work(0, 0, 1.0, 1.0)
        self._open(choice)

    def _open(self, choice: Choice) -> None:
        self.network = Upscaler(
            choice.model, backend=choice.backend, precision=choice.precision, threads=choice.threads
        )
        self.choice = choice
        self._decoder_ms = self._encoder_ms = 0.0
        self._encoded: Encoded | None = None
        self._still = StillUpscaler(_Timed(self), self._threshold)

    def switch(self, choice: Choice) -> None:
        """Another model or precision; the old one stays when that cannot be opened."""
        old = self.network
        self._open(choice)
        old.close()

    def close(self) -> None:
        self.network.close()

    def upscale(self, frame: Picture, size: Size) -> Picture:
        self._encoder_ms = self._decoder_ms = 0.0
        picture = self._still(frame, size)
        self.work = self._still.work
        self.reused += self.work.reused
        return picture

    def encode(self, frame: Picture) -> Encoded:
        """The frame's maps; ``upscale`` of the same frame then needs no second encoding."""
        self._encoded = self.network.encode(frame)
        return self._encoded

    def warm_up(self, frame: Picture, size: Size) -> None:
        """A frame and a part of one, so that the first live ones meet compiled graphs and allocated memory."""
        self.network(frame, size=size)
        self.network(frame, size=size, region=(0, 0, (frame.shape[1] + 1) // 2, (frame.shape[0] + 1) // 2))

    def cost(self, elapsed: float) -> Cost | None:
        """What the last frame, done in ``elapsed`` seconds, would have cost as a whole; None when unknown."""
        work = self.work
        if work.decoded < TELLING_SHARE:
            return None
        other = max(0.0, elapsed - (self._encoder_ms + self._decoder_ms) / 1000)
        pixels = self._decoder_ms / 1000 / work.decoded
        return Cost(other + self._encoder_ms / 1000 / max(work.encoded, work.decoded) + pixels, pixels)


class _Timed:
    """The engine's network, its timings summed over a frame's regions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.radius = engine.network.radius

    def __call__(self, frame: Picture, *, size: Size, region: tuple[int, int, int, int] | None = None) -> Any:
        engine = self._engine
        picture = self._decode(frame, size, region)
        engine._encoder_ms += engine.network.timings.encoder_ms
        engine._decoder_ms += engine.network.timings.decoder_ms
        return picture

    def _decode(self, frame: Picture, size: Size, region: tuple[int, int, int, int] | None) -> Any:
        encoded = self._engine._encoded
        if encoded is not None and encoded.frame is frame:
            return self._engine.network.decode(encoded, size=size, region=region)
        return self._engine.network(frame, size=size, region=region)
