"""One GPU in use: a stream each for upload, compute and download."""

from __future__ import annotations

import dataclasses

from edge_sr.backends.cuda.driver.protocol import Driver, Stream
from edge_sr.backends.gpu.pool import Pool


@dataclasses.dataclass(frozen=True)
class Device:
    """A driver with its three streams and the pool that frames take their memory from."""

    driver: Driver
    up: Stream
    compute: Stream
    down: Stream
    pool: Pool
    free_at_start: int

    @classmethod
    def open(cls, driver: Driver) -> Device:
        with driver.entered():
            streams = driver.stream(), driver.stream(), driver.stream()
            return cls(driver, *streams, Pool(driver), driver.memory()[0])

    @property
    def taken_bytes(self) -> int:
        """Device memory taken since it was opened, by whomever; 0 where others gave up more meanwhile."""
        with self.driver.entered():
            return max(0, self.free_at_start - self.driver.memory()[0])

    def settle(self) -> None:
        """Wait for all that was enqueued, whoever gave it up."""
        for stream in (self.up, self.compute, self.down):
            stream.synchronize()
