"""The cuda runner: the project's own kernels on one GPU, up to three frames in flight (``backends/gpu/ring.py``).

Nothing is built for a size, and maps never leave the device. Where a frame's features do not fit, it is computed in
strips, with the same result.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from edge_sr.backends.base import OpenRunner, Result, RunnerConfig
from edge_sr.backends.cuda.device import Arena, KernelDevice
from edge_sr.backends.cuda.driver.protocol import Buffer, aligned
from edge_sr.backends.cuda.session import HALF, ResidentNetwork, Session, Shape, Workspace
from edge_sr.backends.cuda.strips import smaller
from edge_sr.backends.cuda.video.surfaces import encoder_surface, surface_bytes
from edge_sr.backends.gpu.ring import warn_short
from edge_sr.errors import MemoryLimitError
from edge_sr.grid import SamplingGrid
from edge_sr.plan import Plan
from edge_sr.tensors import Frame, Image
from edge_sr.yuv import FrameForm, Surface, YuvColours, YuvFrame, form_of

# Grids that are kept open: a live picture comes back to the same few parts and sizes.
KEPT_SESSIONS = 8

Key = tuple[Shape, SamplingGrid, bool, YuvColours | None]


class PictureMaps:
    """A picture on the device and, where they fitted, its maps; given back when nobody holds them."""

    def __init__(self, buffer: Buffer, image_bytes: int, maps: bool) -> None:
        self.image_address = buffer.address
        self.maps_address = buffer.address + aligned(image_bytes) if maps else None


class DeviceFrame:
    """The memory of a surface; given back when nobody holds it."""


class CudaRunner(OpenRunner):
    """``arena`` holds the network's weights; the runner owns it and the device."""

    takes_surfaces = True

    # Frames are cut here, where it is known what fits.
    whole_frames = True
    backend = encoder_backend = "cuda"

    def __init__(
        self, device: KernelDevice, network: ResidentNetwork, arena: Arena, config: RunnerConfig
    ) -> None:
        self.precision, self._dtype = config.precision, config.dtype
        self._io = config.sample_type
        self._device, self._network, self._arena = device, network, arena
        # Grows smaller when the device runs out of memory, and stays so.
        self._most_pixels: int | None = None
        self._sessions: OrderedDict[Key, Session] = OrderedDict()
        # Of maps and surfaces that nobody holds any more.
        self._idle: list[Buffer] = []

    @property
    def device_bytes(self) -> int:
        """Device memory taken since the runner was opened, in bytes."""
        return self._device.gpu.taken_bytes

    def encode(self, image: Image) -> PictureMaps:
        """The picture and its maps on the device; the picture alone where the maps do not fit."""
        with self._device.driver.entered():
            self._reuse_idle()
            try:
                return self._encoded(image)
            except MemoryLimitError:
                self._close_sessions()
            try:
                return self._encoded(image)
            except MemoryLimitError:
                return self._uploaded(image, maps_bytes=0)

    def _encoded(self, image: Image) -> PictureMaps:
        _, height, width, _ = image.shape
        network, workspace = self._network, Workspace(self._device, self._network, height, width)
        try:
            maps = self._uploaded(image, height * width * HALF * network.decoder_form.channels)
            features = workspace.features(height, maps.maps_address)
            resident = self._device.resident
            self._device.launch(
                network.encoder.launches(maps.image_address, self._io, features, network.variant, resident)
            )
            self._device.gpu.compute.synchronize()
            return maps
        finally:
            workspace.free()

    def _uploaded(self, image: Image, maps_bytes: int) -> PictureMaps:
        buffer = self._device.gpu.pool.device(aligned(image.nbytes) + maps_bytes)
        maps = PictureMaps(buffer, image.nbytes, bool(maps_bytes))
        weakref.finalize(maps, self._idle.append, buffer).atexit = False
        self._device.upload(image, maps.image_address)
        return maps

    def _reuse_idle(self) -> None:
        while self._idle:
            self._device.gpu.pool.give_back_device(self._idle.pop())

    def decode(self, maps: PictureMaps, image: Image, grid: SamplingGrid) -> Image:
        with self._device.driver.entered():
            session = self._session(image.shape, grid, maps.maps_address is None)
            self._device.gpu.settle()
            image_address, maps_address = maps.image_address, maps.maps_address
            return session.ring.alone(lambda slot: session.decode_held(slot, image_address, maps_address))[
                None
            ]

    def stream(self, frames: Iterable[Frame], plan: Plan) -> Iterator[Result]:
        """Each frame upscaled, in order, three in flight; ``ShapeError`` unless all have the first one's shape."""
        return self._in_flight(frames, plan)

    def stream_yuv(self, frames: Iterable[YuvFrame], plan: Plan) -> Iterator[Result]:
        """As ``stream``, in the first one's colours; what a result holds are codes, as a YUV frame's own."""
        return self._in_flight(frames, plan)

    def _in_flight(self, frames: Iterable[Frame | YuvFrame], plan: Plan) -> Iterator[Result]:
        entered = self._device.driver.entered
        session: Session | None = None
        for frame in frames:
            pixels = frame.codes if isinstance(frame, YuvFrame) else frame
            with entered():
                session = session or self._board(form_of(frame), plan.grid)
                target = self._target(frame, plan.grid)
                landed = session.ring.start(pixels, session.encode, session.decode, target)
            if landed is not None:
                yield landed
        while session is not None:
            with entered():
                landed = session.ring.land()
            if landed is None:
                return
            yield landed

    def _target(self, frame: Frame | YuvFrame, grid: SamplingGrid) -> Surface | None:
        """Where the result stays, if it is to; where there is no room for it, it goes to the host."""
        if not isinstance(frame, YuvFrame) or not frame.to_surface:
            return None
        self._reuse_idle()
        size, depth = (len(grid.cols), len(grid.rows)), 8 if self._io == "uint8" else 10
        try:
            buffer = self._device.gpu.pool.device(surface_bytes(size, depth))
        except MemoryLimitError:
            return None
        owner = DeviceFrame()
        weakref.finalize(owner, self._idle.append, buffer).atexit = False
        return encoder_surface(buffer.address, size, depth, owner)

    def _board(self, form: FrameForm, grid: SamplingGrid) -> Session:
        self._device.gpu.settle()
        width, height = form.size
        session = self._session((1, height, width, 3), grid, encodes=True, yuv=form.colours)
        session.ring.forget()
        return session

    def _session(
        self, image: Shape, grid: SamplingGrid, encodes: bool, yuv: YuvColours | None = None
    ) -> Session:
        """The session for this grid; the one that was used least lately makes room for a new one."""
        key = image, grid, encodes, yuv
        if key not in self._sessions:
            while len(self._sessions) >= KEPT_SESSIONS:
                self._sessions.popitem(last=False)[1].close()
            self._sessions[key] = self._new_session(*key)
        self._sessions.move_to_end(key)
        return self._sessions[key]

    def _new_session(
        self, image: Shape, grid: SamplingGrid, encodes: bool, yuv: YuvColours | None
    ) -> Session:
        """A session with the tallest strips that the device has room for."""
        _, height, width, _ = image
        asked = rows = min(height, max(1, (self._most_pixels or height * width) // width))
        self._reuse_idle()
        while True:
            try:
                session = Session(self._device, self._network, image, grid, self._dtype, rows, encodes, yuv)
            except MemoryLimitError:
                if self._sessions:
                    self._sessions.popitem(last=False)[1].close()
                else:
                    rows = smaller(rows, width, self._network.halo)
            else:
                self._remember(rows, asked, width)
                return session

    def _remember(self, rows: int, asked: int, width: int) -> None:
        if rows != asked:
            self._most_pixels = rows * width
            warn_short(f"strips of {rows} rows from here on")

    def _close_sessions(self) -> None:
        while self._sessions:
            self._sessions.popitem()[1].close()

    def close(self) -> None:
        """Free all device and pinned memory, and the device itself."""
        with self._device.driver.entered():
            self._close_sessions()
            self._reuse_idle()
            self._arena.free()
            self._device.close()
        self._device.driver.close()
