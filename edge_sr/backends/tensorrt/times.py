"""The points of one frame's way through the three streams: they keep the order, and they measure."""

from __future__ import annotations

from edge_sr.backends.base import PartTimes
from edge_sr.backends.cuda.driver.protocol import Driver


class Marks:
    """The events of one frame in flight."""

    def __init__(self, driver: Driver) -> None:
        # Upload stream.
        self.uploading, self.uploaded = driver.event(), driver.event()
        # Compute stream.
        self.started, self.encoded, self.computed = driver.event(), driver.event(), driver.event()
        # Download stream.
        self.downloading, self.done = driver.event(), driver.event()

    def times(self, uploads: bool) -> PartTimes:
        """Once ``done`` was waited for."""
        return PartTimes(
            upload_ms=self.uploaded.milliseconds_since(self.uploading) if uploads else 0.0,
            encoder_ms=self.encoded.milliseconds_since(self.started),
            decoder_ms=self.computed.milliseconds_since(self.encoded),
            download_ms=self.done.milliseconds_since(self.downloading),
        )

    def free(self) -> None:
        for event in vars(self).values():
            event.free()
