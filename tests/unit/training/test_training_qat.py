"""Training with INT8's rounding: the same rounding as the graphs', weights that move, a table that stays."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
for name in ("onnx", "onnxsim", "matplotlib", "safetensors"):
    pytest.importorskip(name)

from support.checkpoints import random_network
from support.scenes import scene, write_scenes

from edge_sr.bundle import Bundle, Source, open_bundle
from edge_sr.calibration.calibrate import CalibrationRequest, calibrate
from edge_sr.calibration.recipe import Budget, Recipe
from edge_sr.calibration.search.trial import open_graph
from edge_sr.calibration.table import ScaleTable, read_table
from edge_sr.errors import BundleError, CheckpointError, ConfigError
from edge_sr.export.bundle import Identity
from edge_sr.export.checkpoint import export_checkpoint
from edge_sr.models.checkpoint import load_checkpoint
from edge_sr.spec import DecoderSpec, EncoderSpec, ModelSpec
from edge_sr.training.limit import Limit
from edge_sr.training.outputs import resume_path
from edge_sr.training.quantisation.qat import RoundedTraining
from edge_sr.training.run import TrainingRun
from edge_sr.training.state import save_weights
from edge_sr.training.tasks.sampled import content_maps

# One worker makes the calibrated bundle and runs all of its tests.
pytestmark = [pytest.mark.torch, pytest.mark.xdist_group("qat")]
STEPS = 12
RECIPE = Recipe(
    method="minmax",
    range_frames=3,
    loss_frames=2,
    synthetic_images=1,
    crop=64,
    scales=("2",),
    high_precision="fp32",
    budget=Budget(20.0, 60.0),
)
TRAINING = {
    "start": "first.safetensors",
    "validate_every": 100,
    "data": {"crop": 64, "cache_mb": 1, "validation": 1, "scale_count": 3},
    "schedule": {"batch": 2, "patch": 6, "warmup": 1, "rate": 1e-3, "scales": [1.5, 4.0]},
}


def quiet(_message: str) -> None:
    pass


def spec(**changes: object) -> ModelSpec:
    decoder = DecoderSpec(3, False, (8, 6, 4), True)
    made = ModelSpec("tiny", EncoderSpec("residual", 8, 1), decoder, training=dict(TRAINING))
    return dataclasses.replace(made, **changes)


def calibrated(place: Path, frames: Path, decoder: DecoderSpec) -> tuple[Bundle, Path]:
    """A random network with such a decoder, and its checkpoint."""
    torch.manual_seed(0)
    made = spec(decoder=decoder)
    checkpoint = place / "first.safetensors"
    save_weights(made.network(), random_network(made.encoder, decoder).state_dict(), checkpoint)
    return bundle_of(checkpoint, frames, place / "first"), checkpoint


def bundle_of(checkpoint: Path, frames: Path, out: Path, table: ScaleTable | None = None) -> Bundle:
    loaded = load_checkpoint(checkpoint)
    identity = Identity("tiny", "1", Source(checkpoint.name, loaded.sha256))
    plain = export_checkpoint(loaded, identity, out.with_name(f"{out.name}-plain"), ["fp32"])
    request = CalibrationRequest(plain, (frames,), RECIPE, out, out.with_suffix(".cache"), table=table)
    return calibrate(request, quiet).bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds ``scenes``, ``first.safetensors`` (a random network), and ``first``, the same calibrated."""
    place = tmp_path_factory.mktemp("qat")
    calibrated(place, write_scenes(place / "scenes", 5), spec().decoder)
    return place


@pytest.fixture
def first(folder: Path) -> Bundle:
    return open_bundle(str(folder / "first"))


def train(
    folder: Path, checkpoint: Path, int8: RoundedTraining, steps: int = STEPS, resume: bool = False
) -> Path:
    run = TrainingRun(spec(), folder, checkpoint, Limit(steps, None), quiet, int8)
    run.prepare([folder / "scenes"], torch.device("cpu"), resume)
    run.run()
    return checkpoint


def maps_of_graph(bundle: Bundle, picture: np.ndarray) -> np.ndarray:
    import onnx

    graph = onnx.load(bundle.graph("encoder", "int8"))
    return open_graph(graph, 1).run(None, {"image": picture[None]})[0]


def maps_in_training(bundle: Bundle, checkpoint: Path, picture: np.ndarray) -> np.ndarray:
    network = load_checkpoint(checkpoint).network()
    RoundedTraining(bundle).put_into(network)
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        maps = content_maps(network.decoder, network.encode(planes))
    width = network.spec.decoder.widths[0]
    maps[:, :width] = torch.relu(maps[:, :width])
    return maps.numpy()


def test_training_rounds_as_the_graph_does(first: Bundle, folder: Path) -> None:
    picture = scene(2, 40, 48)
    graph = maps_of_graph(first, picture)
    rounded = maps_in_training(first, folder / "first.safetensors", picture)
    # A value half way between two levels may go either way, so a few differ by a step.
    apart = np.abs(graph - rounded) > 1e-4 * np.abs(graph).max()
    assert apart.mean() < 1e-3
    network = load_checkpoint(folder / "first.safetensors").network()
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        exact = content_maps(network.decoder, network.encode(planes)).numpy()
    assert (np.abs(graph - exact)[:, 8:] > 1e-4 * np.abs(graph).max()).mean() > 0.2


def test_weights_move_the_table_stays_and_calibrate_takes_both(
    first: Bundle, folder: Path, tmp_path: Path
) -> None:
    checkpoint = train(folder, tmp_path / "second.safetensors", RoundedTraining(first))
    before, after = (load_checkpoint(path).tensors for path in (folder / "first.safetensors", checkpoint))
    assert before.keys() == after.keys()
    assert not torch.equal(before["encoder.body.0.conv1.weight"], after["encoder.body.0.conv1.weight"])
    assert not torch.equal(before["decoder.K.1.0.weight"], after["decoder.K.1.0.weight"])
    table, old = read_table(checkpoint.with_suffix(".scales.json")), read_table(first.path / "scales.json")
    assert (table.ranges, table.factors) == (old.ranges, old.factors)
    second = bundle_of(checkpoint, folder / "scenes", tmp_path / "second", table)
    assert read_table(second.path / "scales.json").ranges == old.ranges
    picture = scene(2, 40, 48)
    apart = maps_of_graph(second, picture) - maps_in_training(second, checkpoint, picture)
    assert (np.abs(apart) > 1e-3).mean() < 1e-3


def test_a_run_goes_on_only_with_its_own_table(first: Bundle, folder: Path, tmp_path: Path) -> None:
    train(folder, tmp_path / "second.safetensors", RoundedTraining(first), steps=2)
    train(folder, tmp_path / "second.safetensors", RoundedTraining(first), steps=4, resume=True)
    run = TrainingRun(spec(), folder, tmp_path / "second.safetensors", Limit(6, None), quiet)
    with pytest.raises(CheckpointError, match="unlike in --qat"):
        run.prepare([folder / "scenes"], torch.device("cpu"), True)
    kept = torch.load(resume_path(tmp_path / "second.safetensors"), weights_only=True)
    assert "qat" in kept["spec"], "the word that earlier versions wrote, whose runs go on"


def test_other_weights_and_bundles_without_int8_are_refused(
    first: Bundle, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match="not calibrated"):
        RoundedTraining(open_bundle(str(folder / "first-plain")))
    with pytest.raises(ConfigError, match=r"training\.start"):
        RoundedTraining(first).check_start(None)
    other = random_network(spec().encoder, spec().decoder)
    other.decoder.last_layer.bias.data += 1
    save_weights(spec().network(), other.state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(ConfigError, match=r"first\.safetensors"):
        RoundedTraining(first).check_start(tmp_path / "other.safetensors")


def test_modulation_that_training_computes_at_the_output_is_refused(folder: Path, tmp_path: Path) -> None:
    bundle, checkpoint = calibrated(tmp_path, folder / "scenes", DecoderSpec(1, False, (8, 6)))
    with pytest.raises(ConfigError, match=r"mode 3, or of one layer.*chained\.0"):
        RoundedTraining(bundle).put_into(load_checkpoint(checkpoint).network())
