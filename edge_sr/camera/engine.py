"""The network of a live run: frames in, pictures out, what each cost, and another model at a word."""

from __future__ import annotations

from edge_sr.camera.pacing.deadline import FrameCost
from edge_sr.camera.pictures import Picture
from edge_sr.camera.static_tiles import StaticTileUpscaler, Work
from edge_sr.sizes import Region, Size
from edge_sr.upscale.run.networks import NetworkChoice
from edge_sr.upscaler import Encoded, PartTimes, Result, Upscaler

# Below this share of a frame, what it would have cost as a whole is a guess.
TELLING_SHARE = 0.05


class LiveUpscaler:
    """An open ``Upscaler`` with its static tiles. All calls come from one thread."""

    def __init__(self, choice: NetworkChoice, threshold: int) -> None:
        self._threshold = threshold
        self.reused = 0
        self.work, self._times = Work(0, 0, 1.0, 1.0), PartTimes()
        self._adopt(choice, choice.open())

    def _adopt(self, choice: NetworkChoice, network: Upscaler) -> None:
        self.choice, self.network = choice, network
        self._encoded: Encoded | None = None
        self._tiles = StaticTileUpscaler(self._part, self.network.radius, self._threshold)

    def switch(self, choice: NetworkChoice, network: Upscaler) -> None:
        """Another model or precision, opened already; the old one is closed."""
        old = self.network
        self._adopt(choice, network)
        old.close()

    def close(self) -> None:
        self.network.close()

    def upscale(self, frame: Picture, size: Size) -> Picture:
        result = self._tiles(frame, size)
        self.work, self._times = self._tiles.work, result.times
        self.reused += self.work.reused
        return result.frame

    def encode(self, frame: Picture) -> Encoded:
        """The frame's maps; ``upscale`` of the same frame then needs no second encoding."""
        self._encoded = self.network.encode(frame)
        return self._encoded

    def warm_up(self, frame: Picture, size: Size) -> None:
        """A frame and a part of one, so that the first live ones meet compiled graphs and allocated memory."""
        self.network(frame, size=size)
        self.network(frame, size=size, region=(0, 0, (frame.shape[1] + 1) // 2, (frame.shape[0] + 1) // 2))

    def cost(self, elapsed: float) -> FrameCost | None:
        """What the last frame, done in ``elapsed`` seconds, would have cost as a whole; None when unknown."""
        work, times = self.work, self._times
        if work.decoded < TELLING_SHARE:
            return None
        other = max(0.0, elapsed - (times.encoder_ms + times.decoder_ms) / 1000)
        pixels = times.decoder_ms / 1000 / work.decoded
        return FrameCost(other + times.encoder_ms / 1000 / max(work.encoded, work.decoded) + pixels, pixels)

    def _part(self, frame: Picture, size: Size, region: Region | None) -> Result:
        encoded = self._encoded
        source = encoded if encoded is not None and encoded.frame is frame else frame
        return self.network.run(source, size=size, region=region)
