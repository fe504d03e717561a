"""The engines of one bundle that this machine may load: found in the store, opened when a size first asks for them.

Nothing is built here. What was not built for this device, this TensorRT and these sizes is named with the command
that builds it.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Iterator
from typing import ClassVar

from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.tensorrt.engine import Engine, TensorRTEngine, profile_index
from edge_sr.backends.tensorrt.network import reach_of
from edge_sr.backends.tensorrt.windows import pixels, window_of
from edge_sr.engines.interface import loader as trt
from edge_sr.engines.interface.loader import Flavour
from edge_sr.engines.store.identity import EngineKey, Shape
from edge_sr.engines.store.shapes import pair_of
from edge_sr.engines.store.store import EngineFile, EngineStore
from edge_sr.errors import EngineError, MissingError
from edge_sr.kinds import Role
from edge_sr.machine.gpu import Gpu
from edge_sr.sizes import size_text


@dataclasses.dataclass
class OpenEngines:
    """What all kinds share. ``used`` names the engine that each role has now.

    ``maps_last``: the encoders looked for write maps for the kernels' decoder, which no engine reads.
    """

    maps_last: ClassVar[bool] = False

    config: RunnerConfig
    flavour: Flavour
    gpu: Gpu
    store: EngineStore
    opened: dict[str, Engine] = dataclasses.field(default_factory=dict)
    used: dict[Role, EngineFile] = dataclasses.field(default_factory=dict)
    known: dict[Role, list[EngineFile]] = dataclasses.field(default_factory=dict)

    def matching(self, role: Role, takes: Callable[[EngineFile], object]) -> list[EngineFile]:
        """The candidates that ``takes`` is true for; where none known is, the store is looked through again."""
        found = list(filter(takes, self.candidates(role)))
        if not found:
            self.known.pop(role, None)
            found = list(filter(takes, self.candidates(role)))
        return found

    def candidates(self, role: Role) -> list[EngineFile]:
        """Engines of exactly this graph, TensorRT and device; DLA's first, then fixed sizes before ranges.

        Looked for once: to read every manifest of a store takes longer than a picture.
        """
        if role not in self.known:
            self.known[role] = sorted(self._in_store(role), key=_preference)
        return self.known[role]

    def _in_store(self, role: Role) -> Iterator[EngineFile]:
        graph, version = self.config.require(role), trt.installed_version(self.flavour)
        wanted = (graph.sha256, role, self.config.sample_type, self.flavour.value, version)
        for path in self.store.paths():
            try:
                file = self.store.open(path)
            except EngineError:
                continue
            key = file.manifest.key
            same = wanted == (key.graph_sha256, key.part, key.io, key.flavour, key.version)
            if same and key.settings.maps_last == self.maps_last and runs_on(key, self.gpu):
                yield file

    def remember(self, role: Role, file: EngineFile) -> None:
        """The engine in use, with what was learnt of it since it was found."""
        self.used[role] = file
        self.known[role] = [file if one.path == file.path else one for one in self.candidates(role)]

    def use(self, role: Role, file: EngineFile) -> Engine:
        """The engine of that file, opened once."""
        self.used[role] = file
        name = file.manifest.key.name
        if name not in self.opened:
            file.note_use()
            self.opened[name] = self._open(file)
        return self.opened[name]

    def _open(self, file: EngineFile) -> Engine:
        return TensorRTEngine(trt.load(self.flavour), file.manifest.key, file.read(), file.runtime_cache)

    def advice(self, shapes: dict[str, Shape]) -> MissingError:
        """What was not built, with the command that builds it."""
        bundle, gpu = shlex.quote(self.config.bundle.given_as), _described(self.gpu, self.flavour)
        command = f"edge-sr build {bundle} --target auto --precision {self.config.precision}"
        if "image" not in shapes:
            return MissingError(f"no decoder engine for this frame size was built for {gpu}: {command}")
        height, width = shapes["image"][1:3]
        depth = " --depth 10" if self.config.sample_type == "float" else ""
        size = size_text((width, height))
        return MissingError(f"no engine for {size} was built for {gpu}: {command} --sizes {size}{depth}")

    def close(self) -> None:
        while self.opened:
            self.opened.popitem()[1].close()


class PairEngines(OpenEngines):
    """Encoder and decoder of an ``implicit`` bundle.

    ``find`` is the runner's: raises ``MissingError`` with the command that builds what is not there, and
    ``EngineError`` for an engine that is damaged.
    """

    def find(self, role: Role, shapes: dict[str, Shape]) -> Engine:
        found = self.matching(role, lambda file: profile_index(file.manifest.key, shapes) is not None)
        if not found:
            raise self.advice(shapes)
        return self.use(role, found[0])

    def open_for(self, image: Shape) -> Shape:
        """Both engines for pictures of this shape, which they are given whole."""
        maps = pair_of(self.config.bundle.description).shape("maps", (image[2], image[1]), (1, 1))
        self.find("encoder", {"image": image})
        self.find("decoder", {"maps": maps})
        return image


class NetworkEngines(OpenEngines):
    """The engine of a network of one graph: one that takes a picture whole, else the one for the largest window."""

    def find_window(self, image: Shape) -> tuple[Engine, Shape]:
        """The engine for pictures of this shape, and the shape of what it is given; ``MissingError`` as ``find``'s."""
        reach = reach_of(self.config.bundle)
        found = self.matching("network", lambda file: window_of(file.manifest.key, image, reach))
        offers = [(window, file) for file in found if (window := window_of(file.manifest.key, image, reach))]
        if not offers:
            raise self.advice({"image": image})
        window, file = max(offers, key=lambda offer: pixels(offer[0]))
        return self.use("network", file), window

    def open_for(self, image: Shape) -> Shape:
        return self.find_window(image)[1]


def runs_on(key: EngineKey, gpu: Gpu) -> bool:
    """Whether an engine was built for this GPU; those of TensorRT for RTX serve all of a compute capability."""
    same_gpu = key.flavour == Flavour.RTX.value or (key.gpu, key.multiprocessors) == (
        gpu.identity,
        gpu.multiprocessors,
    )
    return same_gpu and gpu.compute_capability in key.compute_capabilities


def _described(gpu: Gpu, flavour: Flavour) -> str:
    """A Jetson's engines belong to its power mode, so that those of another one are no riddle."""
    if flavour is Flavour.RTX or not gpu.integrated:
        return gpu.name
    return f"{gpu.name} with {gpu.multiprocessors} multiprocessors on"


def _preference(file: EngineFile) -> tuple[bool, bool]:
    """Who built for DLA wants it used; kernels for a fixed frame size are tuned for just that size."""
    key = file.manifest.key
    frame = key.profiles[0].get("maps") or key.profiles[0]["image"]
    return key.settings.dla_core is None, frame.minimum != frame.maximum
