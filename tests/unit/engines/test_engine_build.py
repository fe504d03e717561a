"""Real engines, built by TensorRT for RTX without a GPU."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from edge_sr.bundle import Bundle, open_bundle
from edge_sr.engines.build.builder import build
from edge_sr.engines.build.dla import require_all_on_dla
from edge_sr.engines.build.network import ParsedGraph
from edge_sr.engines.build.request import BuildRequest, engine_keys, find_workplace
from edge_sr.engines.interface.loader import RTX_COMPUTE_CAPABILITIES, Flavour, load
from edge_sr.engines.store.identity import BuildSettings, Proof, ShapeRange
from edge_sr.engines.store.shapes import fixed, profiles
from edge_sr.engines.store.store import EngineFile, EngineStore
from edge_sr.engines.target import load_target
from edge_sr.errors import BundleError, EngineError, MissingError, OptionError
from edge_sr.kinds import Precision
from edge_sr.spec import PublishedSpec

pytest.importorskip("tensorrt_rtx", reason="needs TensorRT for RTX: pip install 'edge-sr[tensorrt-rtx]'")
pytest.importorskip("onnx", reason="the small test bundle is written with onnx")

from support import tiny_bundle

SIZE = ((64, 48),)
SILENT = {"say": len}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle.write_bundle(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def cache(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "engines")


def request_for(
    bundle: Bundle, target: str = "rtx-40", precision: str = "fp16", **more: object
) -> BuildRequest:
    return BuildRequest(bundle, load_target(target), precision, **{"sizes": SIZE, **more})  # type: ignore[arg-type]


def test_a_request_becomes_an_encoder_and_a_decoder(bundle: Bundle, cache: EngineStore) -> None:
    request = request_for(bundle)
    built = build(request, find_workplace(request, ""), cache, **SILENT)
    parts = [item.engine.manifest.key.part for item in built]
    assert parts == ["encoder", "decoder"] and all(item.fresh for item in built)
    for item in built:
        assert len(item.engine.read()) == item.engine.manifest.bytes
    names = [tensor.name for tensor in built[1].engine.manifest.inputs]
    assert names == ["maps", "rows", "cols", "offset_y", "offset_x", "ratio"]


def test_the_second_time_everything_is_there(bundle: Bundle, cache: EngineStore) -> None:
    request = request_for(bundle)
    first = build(request, find_workplace(request, ""), cache, **SILENT)
    second = build(request, find_workplace(request, ""), cache, **SILENT)
    assert [item.engine for item in first] == [item.engine for item in second]
    assert not any(item.fresh for item in second)


def test_a_damaged_engine_is_built_again(bundle: Bundle, cache: EngineStore) -> None:
    request = request_for(bundle)
    first = build(request, find_workplace(request, ""), cache, **SILENT)[0].engine
    sound = first.read()
    first.path.write_bytes(sound[:-1])
    again = build(request, find_workplace(request, ""), cache, **SILENT)
    assert [item.fresh for item in again] == [True, False]
    assert again[0].engine.read() == sound, "the encoder of a fixed size is built to the same bytes"


@pytest.mark.parametrize("precision", ["fp16", "fp32", "int8"])
@pytest.mark.parametrize("capability", [*RTX_COMPUTE_CAPABILITIES, "portable"])
def test_every_capability_builds(bundle: Bundle, cache: EngineStore, capability: str, precision: str) -> None:
    target = load_target("rtx-portable")
    if capability != "portable":
        target = replace(target, name="one", compute_capabilities=(capability,))
    request = BuildRequest(bundle, target, precision, SIZE)
    built = build(request, find_workplace(request, ""), cache, **SILENT)
    assert {item.engine.manifest.key.compute_capabilities for item in built} == {target.compute_capabilities}


@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize("capability", ["7.5", "12.0"])
def test_an_encoder_is_built_for_the_kernels_decoder(
    bundle: Bundle, cache: EngineStore, capability: str, precision: str
) -> None:
    target = replace(load_target("rtx-portable"), name="one", compute_capabilities=(capability,))
    request = BuildRequest(bundle, target, precision, SIZE, maps_last=True)
    (built,) = build(request, find_workplace(request, ""), cache, **SILENT)
    key = built.engine.manifest.key
    assert (key.part, key.settings.maps_last) == ("encoder", True)
    plain = build(replace(request, maps_last=False), find_workplace(request, ""), cache, **SILENT)[0]
    assert plain.fresh and plain.engine.read() != built.engine.read()


def test_the_kernels_decoder_wants_maps_in_float16(bundle: Bundle, cache: EngineStore) -> None:
    request = request_for(bundle, precision="fp32", maps_last=True)
    with pytest.raises(OptionError, match="reads maps in float16"):
        build(request, find_workplace(request, ""), cache, **SILENT)


def test_a_range_of_sizes_and_the_float_pair(bundle: Bundle, cache: EngineStore) -> None:
    request = request_for(bundle, sizes=(), max_size=(320, 240), depth=10)
    built = build(request, find_workplace(request, ""), cache, **SILENT)
    assert [item.engine.manifest.key.io for item in built] == ["uint8", "uint8", "float", "float"]
    image = built[0].engine.manifest.key.profiles[0]["image"]
    assert (image.minimum, image.maximum) == ((1, 16, 16, 3), (1, 240, 320, 3))


def test_one_profile_for_each_size(bundle: Bundle, cache: EngineStore) -> None:
    request = request_for(bundle, sizes=((64, 48), (96, 64)))
    built = build(request, find_workplace(request, ""), cache, **SILENT)
    assert [profile["image"].maximum for profile in built[0].engine.manifest.key.profiles] == [
        (1, 48, 64, 3),
        (1, 64, 96, 3),
    ]


def sound(cache: EngineStore) -> list[EngineFile]:
    return [engine for _, engine, _ in cache.check() if engine is not None]


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_two_builds_of_one_graph_are_the_same_bytes(bundle: Bundle, part: str) -> None:
    """Of fixed shapes: dynamic axes are numbered by where they lie in memory, which changes some 40 bytes."""
    request = request_for(bundle)
    key = next(k for k in engine_keys(request, find_workplace(request, "")) if k.part == part)
    fixed = [{n: ShapeRange(*[s.maximum] * 3) for n, s in profile.items()} for profile in key.profiles]
    model = bundle.graph(part, "fp16").read_bytes()
    first, second = (ParsedGraph(load(Flavour.RTX), model).build(fixed, key.settings) for _ in range(2))
    assert first.data == second.data


@pytest.mark.skipif(shutil.which("setarch") is None, reason="needs setarch, of util-linux")
def test_two_runs_are_the_same_bytes_where_addresses_are(bundle: Bundle, tmp_path: Path) -> None:
    """Dynamic axes too, once the system gives every run the same addresses (paths of other lengths move them)."""
    caches = [EngineStore(tmp_path / name) for name in ("one", "two")]
    for cache in caches:
        process = start(bundle, cache, "setarch", "--addr-no-randomize")
        _, talk = process.communicate()
        if "Operation not permitted" in talk:
            pytest.skip("not permitted here: setarch --addr-no-randomize")
        assert process.returncode == 0, talk
    hashes = [{engine.path.name: engine.manifest.sha256 for engine in sound(cache)} for cache in caches]
    assert len(hashes[0]) == 2 and hashes[0] == hashes[1]


def test_the_key_decides_which_engine_it_is_not_its_bytes(bundle: Bundle, tmp_path: Path) -> None:
    """Two builds may differ in bytes. Either will do, but only beside its own manifest."""
    request = request_for(bundle, sizes=(), max_size=(320, 240))
    caches = [EngineStore(tmp_path / name) for name in "ab"]
    keys = engine_keys(request, find_workplace(request, ""))
    built = [build(request, find_workplace(request, ""), cache, **SILENT) for cache in caches]
    for key, one, other in zip(keys, *built, strict=True):
        mine, theirs = one.engine, other.engine
        assert mine.path.name == theirs.path.name
        differ = mine.read() != theirs.read()
        mine.path.write_bytes(theirs.read())
        assert (caches[0].find(key) is None) is differ
        for file in theirs.path.parent.glob(f"{theirs.path.stem}.*"):
            shutil.copy(file, mine.path.parent)
        found = caches[0].find(key)
        assert found is not None and found.read() == theirs.read()
    assert not any(item.fresh for item in build(request, find_workplace(request, ""), caches[0], **SILENT))


def test_the_builder_tells_its_phases(bundle: Bundle) -> None:
    request, phases = request_for(bundle), list[str]()
    key = engine_keys(request, find_workplace(request, ""))[0]
    graph = ParsedGraph(load(Flavour.RTX), bundle.graph("encoder", "fp16").read_bytes())
    plan = graph.build(key.profiles, key.settings, progress=phases.append)
    assert plan.data and all(phases)


def test_ctrl_c_in_the_midst_of_a_build_ends_it(bundle: Bundle) -> None:
    request = request_for(bundle)
    key = engine_keys(request, find_workplace(request, ""))[0]
    graph = ParsedGraph(load(Flavour.RTX), bundle.graph("encoder", "fp16").read_bytes())
    phases: list[str] = []

    def interrupt(phase: str) -> None:
        phases.append(phase)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0)  # where Python looks for signals

    with pytest.raises(KeyboardInterrupt):
        graph.build(key.profiles, key.settings, progress=lambda phase: None if phases else interrupt(phase))
    assert phases and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_precision_that_the_bundle_lacks_names_the_command(cache: EngineStore) -> None:
    nano = open_bundle("diinn-nano")
    graphs = tuple(graph for graph in nano.description.graphs if graph.precision == "fp32")
    for network, says in (
        (nano.description.network, "edge-sr export --precision fp16"),
        (PublishedSpec("m", "onnx", {}), "only fp32; build one of those"),
    ):
        poor = replace(nano, description=replace(nano.description, graphs=graphs, network=network))
        request = request_for(poor)
        with pytest.raises(BundleError, match=says):
            build(request, find_workplace(request, ""), cache, **SILENT)


def test_a_file_that_is_no_graph_is_named_by_tensorrt() -> None:
    with pytest.raises(EngineError, match="cannot read it"):
        ParsedGraph(load(Flavour.RTX), b"no graph")


def test_shapes_that_do_not_fit_are_refused_with_tensorrts_reason(bundle: Bundle) -> None:
    graph = ParsedGraph(load(Flavour.RTX), bundle.graph("encoder", "fp16").read_bytes())
    wrong = {"image": ShapeRange((1, 8, 8, 4), (1, 8, 8, 4), (1, 8, 8, 4))}
    with pytest.raises(EngineError, match=r"(?s)TensorRT (could not build|refused).+"):
        graph.build([wrong], BuildSettings(("8.9",)))


def test_a_capability_that_rtx_does_not_know_is_refused(bundle: Bundle) -> None:
    graph = ParsedGraph(load(Flavour.RTX), bundle.graph("encoder", "fp16").read_bytes())
    with pytest.raises(OptionError, match=r"not for 8\.7"):
        graph.build([], BuildSettings(("8.7",)))


BUILD = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from edge_sr.engines.build.builder import build
from edge_sr.engines.store.store import EngineStore
from edge_sr.engines.build.request import BuildRequest, find_workplace
from edge_sr.engines.target import load_target
from edge_sr.bundle import read_bundle
request = BuildRequest(read_bundle(Path(sys.argv[2])), load_target("rtx-40"), "fp16", ((64, 48),))
cache = EngineStore(Path(sys.argv[3]))
built = build(request, find_workplace(request, ""), cache, lambda text: print(text, flush=True))
print([item.fresh for item in built])
"""


def start(bundle: Bundle, cache: EngineStore, *before: str) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[3])
    command = [*before, sys.executable, "-c", BUILD, root, str(bundle.path), str(cache.folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_of_two_builders_one_builds_and_the_other_uses_it(bundle: Bundle, cache: EngineStore) -> None:
    outputs = [process.communicate()[0] for process in [start(bundle, cache), start(bundle, cache)]]
    built = [line for output in outputs for line in output.splitlines() if line.endswith(": building")]
    assert len(built) == len(set(built)) == 2
    assert all(reason == "" for _, _, reason in cache.check())


@pytest.mark.parametrize("trials", [2, pytest.param(40, marks=pytest.mark.full)])
def test_a_builder_that_is_killed_leaves_nothing_that_loads_wrongly(
    bundle: Bundle, cache: EngineStore, trials: int
) -> None:
    request, dice = request_for(bundle), random.Random(trials)
    keys = engine_keys(request, find_workplace(request, ""))
    for _ in range(trials):
        process = start(bundle, cache)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(dice.random() * 0.4)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        found = [cache.find(key) for key in keys]
        assert all(engine is None or len(engine.read()) == engine.manifest.bytes for engine in found)
        for path in cache.paths():
            cache.remove(path)
    built = build(request, find_workplace(request, ""), cache, **SILENT)
    assert all(item.fresh for item in built)


def test_a_wide_network_gets_a_smaller_tile(bundle: Bundle) -> None:
    decoder = replace(bundle.network.decoder, widths=(256,) * 4)
    described = replace(bundle.description, network=replace(bundle.network, decoder=decoder))
    wide = request_for(Bundle(bundle.path, described), "rtx-20")
    assert request_for(bundle, "rtx-20").tile == load_target("rtx-20").tile_size == (2048, 256)
    assert wide.tile == (1024, 256)


def test_too_little_workspace_says_what_to_change(cache: EngineStore) -> None:
    target = replace(load_target("rtx-40"), workspace_mib=64)
    request = BuildRequest(open_bundle("diinn-edge"), target, "fp32", ((1920, 1080),))
    with pytest.raises(EngineError, match="workspace_mib"):
        build(request, find_workplace(request, ""), cache, **SILENT)


class Graph:
    """A parsed graph as a device would judge it: ``left`` are the layers that its DLA cannot run."""

    library = load(Flavour.RTX)

    def __init__(self, cores: int, left: list[str]) -> None:
        self.dla_cores, self.left = cores, left

    def layers_off_dla(self) -> list[str]:
        return self.left


def test_layers_that_would_fall_back_end_the_build_unless_that_is_allowed() -> None:
    graph = cast(ParsedGraph, Graph(2, ["planes", "x"]))
    with pytest.raises(EngineError, match=r"2 layers cannot run on DLA: planes, x; .*--dla-fallback"):
        require_all_on_dla(graph, gpu_fallback=False)
    assert require_all_on_dla(graph, gpu_fallback=True) == ["planes", "x"]
    assert require_all_on_dla(cast(ParsedGraph, Graph(2, [])), gpu_fallback=False) == []


def test_a_tensorrt_without_dla_says_which_jetpack_has_it() -> None:
    with pytest.raises(MissingError, match="JetPack 6"):
        require_all_on_dla(cast(ParsedGraph, Graph(0, [])), gpu_fallback=True)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("name", ["diinn-edge", "diinn-edge-video", "diinn-nano"])
def test_the_decoders_scratch_does_not_grow_with_the_picture(name: str, precision: Precision) -> None:
    """Four pixels are gathered for each output first: a whole picture in float32 would be 95 MiB of the largest."""
    shipped, workspace = open_bundle(name), 52 if precision == "fp32" else 32
    graph = shipped.find("decoder", precision)
    assert graph is not None
    parsed = ParsedGraph(load(Flavour.RTX), shipped.graph("decoder", precision).read_bytes())
    for frame in ((320, 180), (3840, 2160)):
        shapes = profiles(shipped.description, graph, [fixed(frame, (512, 128), static_tile=True)])
        assert parsed.build(shapes, BuildSettings(("8.9",), workspace_mib=workspace)).data


def test_the_positions_axes_have_the_tiles_names() -> None:
    for name in ("diinn-edge", "diinn-nano", "diinn-edge-video"):
        graph = open_bundle(name).find("decoder", "fp16")
        assert graph is not None
        axes = {port.name: port.shape for port in graph.inputs}
        assert axes["rows"] == ("Ht",) and axes["cols"] == ("Wt",)
        assert axes["offset_y"] == (1, 1, "Ht", 1) and axes["offset_x"] == (1, 1, 1, "Wt")


def test_force_builds_what_is_there(bundle: Bundle, cache: EngineStore) -> None:
    request = request_for(bundle)
    workplace = find_workplace(request, "")
    assert all(item.fresh for item in build(request, workplace, cache, **SILENT))
    assert not any(item.fresh for item in build(request, workplace, cache, **SILENT))
    assert all(item.fresh for item in build(request, workplace, cache, **SILENT, force=True))


def test_an_engine_that_computed_wrong_pictures_is_built_again(bundle: Bundle, cache: EngineStore) -> None:
    request = request_for(bundle)
    workplace = find_workplace(request, "")
    first, _ = build(request, workplace, cache, **SILENT)
    proof = Proof(21.0, 190, 1.0, "a GPU", "13.0", "tensorrt-rtx", "1.7", False, ("64x48",))
    cache.keep_proof(first.engine, proof)
    again = build(request, workplace, cache, **SILENT)
    assert [item.fresh for item in again] == [True, False]
    assert again[0].engine.manifest.proof is None
