"""Work that comes again with every frame, captured as a CUDA graph where that can be done."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import TypeVar

from edge_sr.backends.cuda.driver.protocol import DeviceGraph
from edge_sr.backends.gpu.device import Device
from edge_sr.errors import EdgeSRError, ResourceError

Key = TypeVar("Key")


class Capture:
    """The way to a device's compute stream: plainly, or by graphs captured from a repeated call.

    What cannot be captured is enqueued plainly from then on, which is said once.
    """

    def __init__(self, device: Device, wanted: bool = True) -> None:
        self._device = device
        self._possible = wanted and device.driver.can_capture

    def repeat(self, graphs: dict[Key, DeviceGraph | None], key: Key, work: Callable[[], None]) -> None:
        """Do the work as it is the first time, capture it the second, and launch the graph from then on."""
        if key not in graphs or not self._possible:
            graphs[key] = None
            work()
            return
        graph = graphs[key] = graphs[key] or self._captured(work)
        if graph is None:
            work()
        else:
            graph.launch(self._device.compute)

    def _captured(self, work: Callable[[], None]) -> DeviceGraph | None:
        """The work as a graph, or None when it cannot be captured; the stream is free again in either case."""
        graph, refused = self._attempt(work)
        if refused is None:
            return graph
        if graph is not None:
            graph.free()
        self._possible = False
        warnings.warn(f"no CUDA graphs here, all is enqueued piece by piece: {refused}", stacklevel=2)
        return None

    def _attempt(self, work: Callable[[], None]) -> tuple[DeviceGraph | None, ResourceError | None]:
        """What the stream gave, and the first error; a graph takes memory, of which there may be too little."""
        driver, compute = self._device.driver, self._device.compute
        refused: ResourceError | None = None
        try:
            driver.begin_capture(compute)
        except ResourceError as error:
            return None, error
        try:
            work()
        except ResourceError as error:
            refused = error
        except BaseException:
            with contextlib.suppress(EdgeSRError):
                driver.end_capture(compute).free()
            raise
        try:
            return driver.end_capture(compute), refused
        except ResourceError as error:
            return None, refused or error
