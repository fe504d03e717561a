"""The ``tensorrt`` and ``tensorrt-rtx`` backends: from a bundle to a runner over engines in the cache.

Nothing is built here. What was not built for this device, this TensorRT and these sizes is named with the
command that builds it.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator

from edge_sr import optional
from edge_sr.backends.base import DeviceNetwork, Runner
from edge_sr.backends.cuda.driver.pycuda import PycudaDriver
from edge_sr.backends.single_graph.runner import RESAMPLING_REACH
from edge_sr.backends.tensorrt.engine import Engine, TensorRTEngine, profile_index
from edge_sr.backends.tensorrt.network import TensorRTNetwork
from edge_sr.backends.tensorrt.proof.network import ProvenNetwork
from edge_sr.backends.tensorrt.proof.pair import ProvenRunner
from edge_sr.backends.tensorrt.runner import TensorRTRunner
from edge_sr.backends.tensorrt.windows import pixels, window_of
from edge_sr.bundle import Bundle, Graph
from edge_sr.engines.interface import loader as trt
from edge_sr.engines.interface.loader import Flavour
from edge_sr.engines.store.cache import Engine as EngineFile
from edge_sr.engines.store.cache import EngineCache
from edge_sr.engines.store.identity import Shape
from edge_sr.engines.store.shapes import pair_of
from edge_sr.errors import BundleError, EdgeSRError, EngineError, MissingError
from edge_sr.machine.gpu import Gpu, find_gpu


def obstacle(flavour: Flavour) -> str | None:
    """What is missing here to run engines of this flavour, in one line, or ``None``."""
    if trt.installed_version(flavour) is None:
        return f"{flavour.value} is not installed here: pip install 'edge-sr[{flavour.value}]'"
    try:
        gpu = find_gpu()
        optional.require("pycuda.driver", "running on a GPU")
    except EdgeSRError as error:
        return str(error)
    if flavour is Flavour.RTX and gpu.compute_capability not in trt.RTX_COMPUTE_CAPABILITIES:
        return f"TensorRT for RTX does not know {gpu.name} (compute capability {gpu.compute_capability})"
    return None


@dataclasses.dataclass
class EngineShelf:
    """The engines of a pair of graphs that this machine may load, opened when a size first asks for them.

    ``find`` is the runner's: raises ``MissingError`` with the command that builds what is not there, and
    ``EngineError`` for an engine that is damaged.
    """

    bundle: Bundle
    precision: str
    io: str
    flavour: Flavour
    gpu: Gpu
    cache: EngineCache
    opened: dict[str, Engine] = dataclasses.field(default_factory=dict)
    used: dict[str, EngineFile] = dataclasses.field(default_factory=dict)

    def find(self, part: str, shapes: dict[str, Shape]) -> Engine:
        for file in self._candidates(part):
            if profile_index(file.manifest.key, shapes) is not None:
                return self._use(part, file)
        raise MissingError(self._advice(shapes))

    def open_for(self, image: Shape) -> Shape:
        maps = pair_of(self.bundle.description).shape("maps", (image[2], image[1]), (1, 1))
        self.find("encoder", {"image": image})
        self.find("decoder", {"maps": maps})
        return image

    def _candidates(self, part: str) -> Iterator[EngineFile]:
        """Engines of exactly this graph, TensorRT and device; DLA's first, then fixed sizes before ranges."""
        graph, version = self._graph(part), trt.installed_version(self.flavour)
        found = []
        for path in self.cache.paths():
            try:
                file = self.cache.open(path)
            except EngineError:
                continue
            key = file.manifest.key
            same = (graph.sha256, part, self.io, self.flavour.value, version)
            if same == (key.graph_sha256, key.part, key.io, key.flavour, key.version) and self._runs(file):
                found.append(file)
        yield from sorted(found, key=_preference)

    def _runs(self, file: EngineFile) -> bool:
        key = file.manifest.key
        same_gpu = self.flavour is Flavour.RTX or key.gpu == self.gpu.name
        return same_gpu and self.gpu.compute_capability in key.compute_capabilities

    def _graph(self, part: str) -> Graph:
        graph = self.bundle.find(part, self.precision, self.io)
        if graph is None:
            raise BundleError(f"bundle {self.bundle.name} has no {self.io} {part} in {self.precision}")
        return graph

    @property
    def maps_dtype(self) -> str:
        return self._graph("encoder").outputs[0].dtype

    def _use(self, part: str, file: EngineFile) -> Engine:
        self.used[part] = file
        return self._open(file)

    def _open(self, file: EngineFile) -> Engine:
        name = file.manifest.key.name
        if name not in self.opened:
            library = trt.load(self.flavour)
            self.opened[name] = TensorRTEngine(library, file.manifest.key, file.read(), file.runtime_cache)
        return self.opened[name]

    def _advice(self, shapes: dict[str, Shape]) -> str:
        bundle = shlex.quote(self.bundle.given_as)
        command = f"edge-sr build {bundle} --target auto --precision {self.precision}"
        if "image" not in shapes:
            return f"no decoder engine for this frame size was built for {self.gpu.name}: {command}"
        height, width = shapes["image"][1:3]
        depth = " --depth 10" if self.io == "float" else ""
        size = f"{width}x{height}"
        return f"no engine for {size} was built for {self.gpu.name}: {command} --sizes {size}{depth}"

    def close(self) -> None:
        while self.opened:
            self.opened.popitem()[1].close()


def reach_of(bundle: Bundle) -> int | None:
    """Pixels of its input that a network of one graph reads to either side, ``None`` for all of them."""
    description = bundle.description
    return None if description.whole_frames else description.radius - RESAMPLING_REACH


class NetworkShelf(EngineShelf):
    """The engines of a network of one graph: one that takes a picture whole, else the one for the largest window."""

    def find_window(self, image: Shape) -> tuple[Engine, Shape]:
        """The engine for pictures of this shape, and the shape of what it is given; raises as ``find`` does."""
        reach = reach_of(self.bundle)
        offers = [
            (window, file)
            for file in self._candidates("network")
            if (window := window_of(file.manifest.key, image, reach))
        ]
        if not offers:
            raise MissingError(self._advice({"image": image}))
        window, file = max(offers, key=lambda offer: pixels(offer[0]))
        return self._use("network", file), window

    def open_for(self, image: Shape) -> Shape:
        return self.find_window(image)[1]


def _preference(file: EngineFile) -> tuple[bool, bool]:
    """Who built for DLA wants it used; kernels for a fixed frame size are tuned for just that size."""
    key = file.manifest.key
    frame = key.profiles[0].get("maps") or key.profiles[0]["image"]
    return key.settings.dla_core is None, frame.minimum != frame.maximum


def open_runner(bundle: Bundle, precision: str, io: str, flavour: Flavour) -> Runner:
    """The runner on this machine's first GPU; ``MissingError`` when something for it is not here."""
    _require_here(flavour)
    shelf = EngineShelf(bundle, precision, io, flavour, find_gpu(), EngineCache())
    driver = PycudaDriver()
    graphs = flavour is Flavour.TENSORRT
    inner = TensorRTRunner(
        pair_of(bundle.description),
        precision,
        io,
        flavour.value,
        shelf.find,
        driver,
        shelf.maps_dtype,
        graphs,
    )
    return ProvenRunner(inner, shelf, driver)


def open_network(bundle: Bundle, precision: str, io: str, flavour: Flavour) -> DeviceNetwork:
    """The network of one graph on this machine's first GPU; ``MissingError`` when something for it is not here."""
    _require_here(flavour)
    shelf = NetworkShelf(bundle, precision, io, flavour, find_gpu(), EngineCache())
    driver, scale = PycudaDriver(), bundle.description.scale
    inner = TensorRTNetwork(scale, reach_of(bundle), io, flavour.value, shelf.find_window, driver)
    return ProvenNetwork(inner, shelf, driver)


def _require_here(flavour: Flavour) -> None:
    reason = obstacle(flavour)
    if reason is not None:
        raise MissingError(f"backend {flavour.value} cannot run here: {reason}")
