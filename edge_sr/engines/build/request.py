"""What is asked of the builder, and whether this machine can do it, before anything heavy starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from edge_sr.bundle import Bundle, Description, Graph, file_sha256
from edge_sr.engines.build.dla import require_dla
from edge_sr.engines.interface import loader as trt
from edge_sr.engines.interface.loader import Flavour
from edge_sr.engines.store import shapes
from edge_sr.engines.store.identity import BuildSettings, EngineKey, ShapeRange
from edge_sr.engines.target import TargetProfile, require_supported
from edge_sr.errors import BundleError, MissingError, OptionError, UnknownNameError
from edge_sr.kinds import Precision, Role, SampleType
from edge_sr.machine.gpu import Gpu, find_gpu
from edge_sr.sizes import Size, size_text
from edge_sr.spec import NetworkSpec, PublishedSpec
from edge_sr.tensors import SMALLEST_SIDE

# Roles that engines are built for, in order; the other roles stand for the same graphs in another form.
PARTS: tuple[Role, ...] = ("encoder", "decoder", "network")


@dataclass(frozen=True)
class BuildRequest:
    """One bundle, one target, one precision. ``sizes`` are input sizes (WxH), one profile each;
    ``max_size`` instead covers every size up to it; with neither, the target's own sizes.
    ``depth`` 10 adds the float pair. ``maps_last``: the encoder alone, for the ``cuda`` backend's decoder.
    """

    bundle: Bundle
    target: TargetProfile
    precision: str
    sizes: tuple[Size, ...] = ()
    max_size: Size | None = None
    depth: int = 8
    flavour: Flavour | None = None
    dla: bool = False
    gpu_fallback: bool = False
    maps_last: bool = False

    def __post_init__(self) -> None:
        if self.precision == "int8-cpu":
            raise OptionError("int8-cpu is the scheme of CPUs, which takes no engine: give --precision int8")
        if self.precision not in get_args(Precision):
            raise UnknownNameError.among("precision", self.precision, list(get_args(Precision)))
        if self.sizes and self.max_size:
            raise OptionError("--sizes and --max-size contradict each other: give one of them")
        for size in (*self.sizes, *((self.max_size,) if self.max_size else ())):
            if min(size) < SMALLEST_SIDE:
                least = size_text((SMALLEST_SIDE, SMALLEST_SIDE))
                raise OptionError(f"a frame has {least} pixels or more, found {size_text(size)} to build for")
        if self.depth not in (8, 10):
            raise OptionError(f"--depth is 8 or 10, found {self.depth}")
        if self.maps_last and self.dla:
            raise OptionError("--decoder kernels needs the GPU to write the maps: leave out --dla")

    @property
    def chosen_flavour(self) -> Flavour:
        return self.flavour or Flavour(self.target.flavour)

    @property
    def sample_types(self) -> tuple[SampleType, ...]:
        return ("uint8",) if self.depth == 8 else ("uint8", "float")

    @property
    def tile(self) -> Size:
        """The target's tile, halved until a decoder as wide as the bundle's can compute it in the workspace."""
        width, height = self.target.tile_size
        while (
            width * height * _bytes_per_pixel(self.bundle.description) > self.target.workspace << 20
            and height > 1
        ):
            width, height = (width, height // 2) if 2 * height >= width else (width // 2, height)
        return width, height

    def ranges(self, *, static_tiles: bool) -> tuple[shapes.SizeRange, ...]:
        """One for each optimisation profile; with ``static_tiles`` the decoder takes tiles of one size alone."""
        tile = self.tile
        if self.max_size:
            return (shapes.up_to(self.max_size, tile, static_tiles),)
        sizes = self.sizes or self.target.input_sizes
        return tuple(shapes.fixed(size, tile, static_tiles) for size in sizes)


def _bytes_per_pixel(description: Description) -> int:
    """Scratch for one output pixel: TensorRT asked for six float32 values a channel of the widest layer; eight
    leave room."""
    return 4 * 8 * _widest(description)


def _widest(description: Description) -> int:
    """Channels of a decoder's widest layer, an upper estimate; 0 where there is no decoder."""
    network = description.network
    if isinstance(network, NetworkSpec):
        unfolded = 0 if network.decoder.splits else 9 * network.encoder.channels
        return max(*network.decoder.widths, unfolded)
    # The maps of four LR pixels meet in one output pixel of LIIF.
    return 4 * shapes.pair_of(description).channels if description.kind == "implicit" else 0


@dataclass(frozen=True)
class Workplace:
    """Where the build runs: a TensorRT of this version, and the GPU that TensorRT proper needs."""

    flavour: Flavour
    version: str
    gpu: Gpu | None

    @property
    def wrong_in_dynamic_tiles(self) -> bool:
        """TensorRT 10.3, JetPack 6's, computed wrong pictures in some shapes of a dynamic profile on Orin NX
        (NVIDIA/TensorRT #4330; #4419 names it a bug in 10.3, mended later)."""
        return self.flavour is Flavour.TENSORRT and self.version.startswith("10.3.")


def find_workplace(request: BuildRequest, command: str) -> Workplace:
    """Where the request can be built here.

    Raises ``OptionError`` for a pair no machine can build, and ``MissingError``, naming machine and
    ``command``, for one that another machine can.
    """
    flavour, target = request.chosen_flavour, request.target
    require_supported(target, flavour)
    if request.dla:
        require_dla(target, request.precision, request.sizes)
    if flavour is Flavour.RTX:
        return Workplace(flavour, _installed(flavour), None)
    return _on_the_device(target, command)


def _installed(flavour: Flavour) -> str:
    version = trt.installed_version(flavour)
    if version is None:
        raise MissingError(f"{flavour.value} is not installed here: pip install 'edge-sr[{flavour.value}]'")
    return version


def _on_the_device(target: TargetProfile, command: str) -> Workplace:
    there = f"on the machine with {target.title}, run: {command}"
    try:
        gpu = find_gpu()
    except MissingError as error:
        raise MissingError(f"TensorRT builds on the target itself: {there}") from error
    if gpu.compute_capability not in target.compute_capabilities:
        raise MissingError(
            f"TensorRT builds on the target itself, and this is {gpu.name}, compute capability "
            f"{gpu.compute_capability}: {there}"
        )
    return Workplace(Flavour.TENSORRT, _installed(Flavour.TENSORRT), gpu)


def engine_keys(request: BuildRequest, workplace: Workplace) -> list[EngineKey]:
    """The identity of every engine that the request comes to; ``BundleError`` for a precision it lacks."""
    parts = parts_of(request.bundle)
    if request.maps_last:
        _require_half_maps(request)
    wanted = parts[:1] if request.dla or request.maps_last else parts
    return [_key(request, workplace, part, io) for io in request.sample_types for part in wanted]


def _require_half_maps(request: BuildRequest) -> None:
    maps = find_graph(request.bundle, "encoder", request.precision, "uint8").outputs[0]
    if maps.dtype != "float16":
        raise OptionError(
            f"--decoder kernels reads maps in float16, and {request.precision} has them in {maps.dtype}: "
            "build it with --precision fp16 or int8"
        )


def parts_of(bundle: Bundle) -> tuple[Role, ...]:
    """What a bundle is built as: an encoder and a decoder, or the one graph of a network between pictures."""
    roles = [graph.role for graph in bundle.description.graphs]
    return tuple(part for part in PARTS if part in roles)


def _key(request: BuildRequest, workplace: Workplace, part: Role, io: SampleType) -> EngineKey:
    graph = find_graph(request.bundle, part, request.precision, io)
    return EngineKey(
        bundle=request.bundle.name,
        part=part,
        io=io,
        precision=request.precision,
        graph_sha256=file_sha256(request.bundle.graph(part, request.precision, io)),
        target=request.target.name,
        flavour=workplace.flavour.value,
        version=workplace.version,
        gpu=workplace.gpu.identity if workplace.gpu else "",
        multiprocessors=workplace.gpu.multiprocessors if workplace.gpu else 0,
        compute_capabilities=_capabilities(request, workplace),
        profiles=_profiles(request, workplace, graph),
        settings=_settings(request, workplace.flavour),
    )


def _profiles(request: BuildRequest, workplace: Workplace, graph: Graph) -> tuple[dict[str, ShapeRange], ...]:
    ranges = request.ranges(static_tiles=workplace.wrong_in_dynamic_tiles)
    return tuple(shapes.profiles(request.bundle.description, graph, ranges))


def _capabilities(request: BuildRequest, workplace: Workplace) -> tuple[str, ...]:
    return (workplace.gpu.compute_capability,) if workplace.gpu else request.target.compute_capabilities


def _settings(request: BuildRequest, flavour: Flavour) -> BuildSettings:
    return BuildSettings(
        compute_capabilities=request.target.compute_capabilities if flavour is Flavour.RTX else (),
        optimization_level=request.target.optimization_level,
        workspace_mib=request.target.workspace,
        dla_core=0 if request.dla else None,
        gpu_fallback=request.gpu_fallback,
        maps_last=request.maps_last,
    )


def find_graph(bundle: Bundle, part: Role, precision: str, io: SampleType) -> Graph:
    graph = bundle.find(part, precision, io)
    if graph is None:
        raise BundleError(
            f"bundle {bundle.name} has no {io} {part} in {precision}, only {', '.join(bundle.precisions)}; "
            + _advice(bundle, precision)
        )
    return graph


def _advice(bundle: Bundle, precision: str) -> str:
    network = bundle.description.network
    if precision == "int8":
        return "make one with: edge-sr calibrate"
    # An ONNX network stays in the precision that it came in, and nothing is exported in bfloat16.
    if precision == "bf16" or (isinstance(network, PublishedSpec) and network.network == "onnx"):
        return "build one of those"
    return f"make one with: edge-sr export --precision {precision}"
