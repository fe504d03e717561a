"""Pictures, packed crops, the training table and the limits of a run."""

from __future__ import annotations

import dataclasses
import errno
import math
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

safetensors_numpy = pytest.importorskip("safetensors.numpy")
torch = pytest.importorskip("torch")

from edge_sr.cli.train import EXAMPLES
from edge_sr.errors import (
    ConfigError,
    DiskFullError,
    InputError,
    InputNotFoundError,
    OptionError,
    OutputExistsError,
)
from edge_sr.files import atomic
from edge_sr.files.config import load_toml
from edge_sr.machine.child import NUMPY_THREADS
from edge_sr.quality import pair_sides
from edge_sr.resample import resize
from edge_sr.spec import DecoderSpec, EncoderSpec, ModelSpec
from edge_sr.training.data import crops as packed
from edge_sr.training.data import cutting, packed_file, processes
from edge_sr.training.data.device_scales import DeviceScales
from edge_sr.training.data.pictures import find_pictures, read_picture
from edge_sr.training.data.scale_set import bicubic_stack, scale_crops
from edge_sr.training.data.scale_store import ScaleStore
from edge_sr.training.limit import Limit
from edge_sr.training.spec import DataSpec, ScheduleSpec, training_spec

ROOT = Path(__file__).parents[3]
SMALL = DataSpec(crop=64, cache_mb=1, validation=1)


def write(folder: Path, name: str, size: tuple[int, int], seed: int = 0) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write_many(folder: Path, count: int, size: tuple[int, int] = (64, 64)) -> None:
    for index in range(count):
        write(folder, f"{index}.png", size, index)


def collected(sources: list[Path], spec: DataSpec, cache: Path, *, resume: bool = False) -> packed.Crops:
    return packed.collect(sources, spec, cache, lambda text: None, resume=resume)


def model(**training: object) -> ModelSpec:
    return ModelSpec("m", EncoderSpec("residual", 8, 1), DecoderSpec(3, False, (8,)), training=dict(training))


def test_pictures_are_found_in_a_fixed_order_through_all_folders(tmp_path: Path) -> None:
    for name in ("b/2.png", "a/1.jpg", "a/notes.txt", "a/._1.jpg", ".trash/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = find_pictures([tmp_path], "")
    assert [picture.path.name for picture in found] == ["1.jpg", "2.png"]


def test_a_picture_whose_exif_cannot_be_read_is_taken_as_it_lies(tmp_path: Path) -> None:
    picture = Image.fromarray(np.full((8, 12, 3), 90, np.uint8))
    chunks = PngInfo()
    chunks.add_text("Raw profile type exif", "\nexif\n   12\n000000004d4d002a00000008\n")
    picture.save(tmp_path / "a.png", pnginfo=chunks)
    assert read_picture(find_pictures([tmp_path], "")[0]).shape == (8, 12, 3)


@pytest.mark.parametrize("name", ["ramp.png", "ramp.tif"])
def test_sixteen_bits_are_rounded_to_eight(tmp_path: Path, name: str) -> None:
    ramp = np.linspace(0, 65535, 64 * 32).astype(np.uint16).reshape(32, 64)
    Image.fromarray(ramp).save(tmp_path / name)
    pixels = read_picture(find_pictures([tmp_path], "")[0])
    expected = np.floor(ramp / 257 + 0.5).astype(np.uint8)
    assert np.array_equal(pixels, np.repeat(expected[..., None], 3, axis=2))


def test_a_picture_that_is_cut_short_is_left_out_and_named(tmp_path: Path) -> None:
    write_many(tmp_path, 3)
    path = write(tmp_path, "short.jpg", (128, 128))
    path.write_bytes(path.read_bytes()[:4000])
    said: list[str] = []
    crops = packed.collect([tmp_path], SMALL, tmp_path / "made.crops", said.append)
    assert len(crops.train) == 2
    assert len(said) == 1 and "short.jpg is damaged" in said[0]


def test_the_curve_of_a_run_among_its_pictures_is_none_of_them(tmp_path: Path) -> None:
    write_many(tmp_path, 3)
    cache = tmp_path / "mine.crops"
    first = collected([tmp_path], SMALL, cache)
    write(tmp_path, "mine.png", (64, 64), 9)
    again = collected([tmp_path], SMALL, cache, resume=True)
    assert np.array_equal(again.train, first.train)


def test_a_listing_chooses_pictures_and_shrinks_them(tmp_path: Path) -> None:
    write(tmp_path, "deep/large.png", (90, 60))
    write(tmp_path, "ignored.png", (90, 60))
    (tmp_path / "files.tsv").write_text("# file\tfactor\ndeep/large.png\t3\n")
    (picture,) = find_pictures([tmp_path], "files.tsv")
    assert read_picture(picture).shape == (20, 30, 3)


def test_factors_need_not_be_whole(tmp_path: Path) -> None:
    write(tmp_path, "large.png", (150, 90))
    (tmp_path / "files.tsv").write_text("large.png\t1.875\n")
    (picture,) = find_pictures([tmp_path], "files.tsv")
    assert read_picture(picture).shape == (48, 80, 3)


def test_a_listing_marks_what_is_kept_apart_however_many_others_there_are(tmp_path: Path) -> None:
    write_many(tmp_path, 6)
    rows = [f"{index}.png\t1" + "\tvalidation" * (index == 4) for index in range(6)]
    (tmp_path / "files.tsv").write_text("\n".join(rows))
    spec = DataSpec(crop=64, cache_mb=1, validation=3, listing="files.tsv")
    crops = collected([tmp_path], spec, tmp_path / "made.crops")
    assert len(crops.train) == 5
    assert np.array_equal(crops.validation, [np.asarray(Image.open(tmp_path / "4.png"))])


@pytest.mark.parametrize(
    "row",
    ["large.png", "large.png\t0", "large.png\ttwo", "large.png\tnan", "large.png\t1\ttest", "large.png\t1\t"],
)
def test_a_bad_row_of_a_listing_is_named(tmp_path: Path, row: str) -> None:
    (tmp_path / "files.tsv").write_text(f"{row}\n")
    with pytest.raises(ConfigError, match=r"files.tsv:1"):
        find_pictures([tmp_path], "files.tsv")


def test_a_listing_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError, match=r'files.tsv; .*, set listing = ""'):
        find_pictures([tmp_path], "files.tsv")


def test_crops_tile_the_pictures_and_keep_validation_apart(tmp_path: Path) -> None:
    write_many(tmp_path, 4, (130, 64))
    crops = collected([tmp_path], SMALL, tmp_path / "made.crops")
    assert crops.train.shape == (6, 64, 64, 3)
    assert crops.validation.shape == (1, 64, 64, 3)
    assert crops.weights().sum() == pytest.approx(1)


def test_crops_overlap_where_a_quarter_of_one_is_new(tmp_path: Path) -> None:
    pixels = np.arange(96 * 70 * 3).reshape(96, 70, 3).astype(np.uint8)
    for index in range(2):
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    crops = collected([tmp_path], SMALL, tmp_path / "made.crops")
    assert np.array_equal(crops.train, [pixels[:64, 3:67], pixels[32:, 3:67]])


def test_each_picture_is_taken_at_every_shrink(tmp_path: Path) -> None:
    write_many(tmp_path, 2, (128, 128))
    spec = DataSpec(crop=64, cache_mb=1, validation=1, shrinks=(1.0, 1.5, 2.0, 3.0))
    crops = collected([tmp_path], spec, tmp_path / "made.crops")
    assert len(crops.train) == 4 + 4 + 1
    halved = resize(np.asarray(Image.open(tmp_path / "1.png")), (64, 64), "lanczos3")
    assert np.array_equal(crops.train[-1], halved)


@pytest.mark.parametrize("shrinks", [(math.nan,), (), (0.5,)])
def test_shrinks_that_enlarge_are_refused(shrinks: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match=r"data\.shrinks"):
        DataSpec(shrinks=shrinks)


def test_the_flattest_crops_go_when_there_is_no_room(tmp_path: Path) -> None:
    Image.new("RGB", (640, 640), (90, 90, 90)).save(tmp_path / "1-flat.png")
    write(tmp_path, "0-rich.png", (64, 64), 1)
    write(tmp_path, "2-rich.png", (64, 64), 2)
    crops = collected([tmp_path], SMALL, tmp_path / "made.crops")
    room = 2**20 // (3 * 64 * 64) - 1
    assert len(crops.train) == room
    assert sorted(crops.hardness)[-1] > 10
    assert crops.train.nbytes + crops.validation.nbytes <= 2**20


def test_a_packed_file_is_all_that_another_machine_needs(tmp_path: Path) -> None:
    write_many(tmp_path / "in", 3)
    cache = tmp_path / "all.crops"
    crops = collected([tmp_path / "in"], SMALL, cache)
    again = collected([cache], SMALL, tmp_path / "unused.crops")
    pictures = [np.asarray(Image.open(tmp_path / "in" / f"{index}.png")) for index in range(3)]
    assert np.array_equal(again.validation, pictures[:1])
    assert np.array_equal(again.train, pictures[1:])
    assert np.array_equal(crops.hardness, again.hardness)
    assert not (tmp_path / "unused.crops").exists()


def test_crops_of_other_pictures_are_cut_anew_and_never_gone_on_with(tmp_path: Path) -> None:
    write_many(tmp_path / "one", 2)
    for index in range(2):
        write(tmp_path / "other", f"{index}.png", (64, 64), index + 2)
    cache, one, other = tmp_path / "run.crops", [tmp_path / "one"], [tmp_path / "other"]

    def crops(sources: list[Path], *, resume: bool = False, spec: DataSpec = SMALL) -> bytes:
        return bytes(collected(sources, spec, cache, resume=resume).train)

    first = crops(one)
    written = cache.stat().st_mtime_ns
    assert crops(one) == crops(one, resume=True) == first
    assert cache.stat().st_mtime_ns == written
    with pytest.raises(InputError, match="cut from other pictures"):
        crops(other, resume=True)
    assert crops([cache], resume=True) == first
    assert crops(other) != first
    write(tmp_path / "one", "1.png", (128, 64), 7)
    crops(one)
    assert len(crops(one, spec=dataclasses.replace(SMALL, shrinks=(1.0,), cache_mb=2))) == 2 * 64 * 64 * 3


def test_a_file_that_does_not_say_what_it_was_cut_from_is_not_replaced(tmp_path: Path) -> None:
    write_many(tmp_path / "in", 2)
    cache = tmp_path / "run.crops"
    crops = collected([tmp_path / "in"], SMALL, cache)
    stacks = {field: getattr(crops, field).copy() for field in ("train", "validation", "hardness")}
    packed_file.write_arrays(
        cache, {name: packed_file.Stack.of(one) for name, one in stacks.items()}, "crops"
    )
    before = cache.read_bytes()
    with pytest.raises(OutputExistsError, match="does not say"):
        collected([tmp_path / "in"], SMALL, cache)
    collected([tmp_path / "in"], SMALL, cache, resume=True)
    assert cache.read_bytes() == before


def test_crops_are_read_from_their_file_and_not_held(tmp_path: Path) -> None:
    write_many(tmp_path, 2)
    crops = collected([tmp_path], SMALL, tmp_path / "made.crops")
    assert isinstance(crops.train.base, np.memmap)
    before = (tmp_path / "made.crops").read_bytes()
    crops.train[0] = 0
    assert (tmp_path / "made.crops").read_bytes() == before


def test_any_reader_of_safetensors_reads_a_packed_file(tmp_path: Path) -> None:
    write_many(tmp_path, 2)
    crops = collected([tmp_path], SMALL, tmp_path / "made.crops")
    tensors = safetensors_numpy.load_file(tmp_path / "made.crops")
    assert np.array_equal(tensors["train"], crops.train)
    assert np.array_equal(tensors["hardness"], crops.hardness)


@pytest.mark.parametrize("kept", [0, 9, 200, -1])
def test_a_file_that_is_not_packed_or_not_whole_is_refused(tmp_path: Path, kept: int) -> None:
    write_many(tmp_path, 2)
    path = tmp_path / "made.crops"
    collected([tmp_path], SMALL, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"made.crops"):
        collected([path], SMALL, path)


def test_a_safetensors_file_of_other_things_is_refused(tmp_path: Path) -> None:
    safetensors_numpy.save_file({"train": np.zeros((1, 2), np.uint8)}, tmp_path / "all.crops")
    with pytest.raises(InputError, match="holds train"):
        collected([tmp_path / "all.crops"], SMALL, tmp_path / "all.crops")


def stored(folder: Path, crops: np.ndarray, **training: object) -> ScaleStore:
    return ScaleStore(folder, crops, training_spec(model(**training)))


def test_a_scale_is_shrunk_once_and_read_again(tmp_path: Path) -> None:
    crops = np.random.default_rng(2).integers(0, 256, (5, 72, 72, 3), np.uint8)
    scale = Fraction(5, 2)
    made = stored(tmp_path / "s", crops).scaled(scale)
    assert np.array_equal(made.low, scale_crops(crops, scale).low)
    written = (tmp_path / "s" / "low-x5-2").stat().st_mtime_ns
    again = stored(tmp_path / "s", crops).scaled(scale)
    assert np.array_equal(again.low, made.low)
    assert (tmp_path / "s" / "low-x5-2").stat().st_mtime_ns == written


@pytest.mark.parametrize("change", ["crops", "seed"])
def test_scales_of_other_crops_or_another_degradation_are_made_anew(tmp_path: Path, change: str) -> None:
    crops = np.random.default_rng(2).integers(0, 256, (5, 72, 72, 3), np.uint8)
    stored(tmp_path / "s", crops).scaled(Fraction(2))
    other = crops[:, ::-1] if change == "crops" else crops
    store = stored(tmp_path / "s", other, seed=2 if change == "seed" else 1)
    assert not (tmp_path / "s" / "low-x2-1").exists()
    assert np.array_equal(store.scaled(Fraction(2)).low, scale_crops(other, Fraction(2)).low)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="name another checkpoint"):
        stored(tmp_path / "s", np.zeros((2, 72, 72, 3), np.uint8))
    assert (tmp_path / "s" / "notes.txt").read_text() == "mine"


def test_enlarged_crops_are_stored_too(tmp_path: Path) -> None:
    crops = np.random.default_rng(2).integers(0, 256, (3, 72, 72, 3), np.uint8)
    store = stored(tmp_path / "s", crops)
    scaled = store.scaled(Fraction(2))
    assert np.array_equal(store.enlarged(scaled)[1], resize(scaled.low[1], (72, 72)))


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(DiskFullError, match="no space left"):
        atomic.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_key_of_the_training_table_is_an_error() -> None:
    with pytest.raises(ConfigError, match="learning_rate"):
        training_spec(model(schedule={"learning_rate": 1e-3}))


@pytest.mark.parametrize(
    "values",
    [
        {"scales": (4.0, 2.0)},
        {"scales": (0.5, 2.0)},
        {"luma_share": 1.5},
        {"rate": 1e-9},
        {"rate": 1e6},
        {"kernel_rate": -1e-3},
        {"kernel_rate": 1e308},
        {"clip": math.nan},
        {"clip": -1.0},
        {"warmup": -5},
        {"far_scale": math.inf},
        {"batch": 0},
        {"distil_turns": 9},
    ],
)
def test_a_schedule_out_of_range_is_an_error(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="schedule"):
        ScheduleSpec(**values)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_an_error(seed: int) -> None:
    with pytest.raises(ConfigError, match=r"training\.seed"):
        training_spec(model(seed=seed))


def test_limits_by_steps_and_by_minutes() -> None:
    assert Limit(200).fraction(50, 9.0) == 0.25
    assert Limit(200, minutes=1).fraction(50, 45.0) == 0.75
    assert Limit(200).remaining(50, 10.0) == pytest.approx(30)
    with pytest.raises(OptionError):
        Limit(200, minutes=-1)


@pytest.mark.parametrize(
    "path",
    sorted(path for folder in ("models", "gpu") for path in (ROOT / "export" / folder).glob("*.toml")),
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_the_shipped_specs_read_whole(path: Path) -> None:
    spec = load_toml(path, ModelSpec)
    assert spec.name == path.stem
    assert training_spec(spec).data.listing == "files.tsv"


def test_the_spec_of_trains_example_takes_any_folder_and_its_patches_fit() -> None:
    spec = training_spec(load_toml(ROOT / EXAMPLES[0].split()[2], ModelSpec))
    assert (spec.start, spec.data.listing) == ("", "")
    smallest, _ = pair_sides(spec.data.crop, Fraction(spec.schedule.far_scale))
    assert smallest >= spec.schedule.patch


def test_processes_cut_what_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(5):
        write(tmp_path, f"{index}.png", (150 + 10 * index, 140), index)
    write(tmp_path, "small.png", (20, 20))
    spec = dataclasses.replace(SMALL, shrinks=(1.0, 1.5))
    pictures = find_pictures([tmp_path], "")
    apart = {pictures[2]}
    alone = list(cutting.cuttings(pictures, apart, spec))
    monkeypatch.setattr(cutting, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(cutting, "available_cores", lambda: 2)
    together = list(cutting.cuttings(pictures, apart, spec))
    assert [len(one.tiles) for one in alone] == [10, 10, 0, 10, 10, 0]
    assert "smaller than a crop" in alone[5].complaint
    for one, other in zip(alone, together, strict=True):
        assert (one.details, one.complaint) == (other.details, other.complaint)
        np.testing.assert_array_equal(one.tiles, other.tiles)
        np.testing.assert_array_equal(one.middle, other.middle)


def test_each_process_that_cuts_keeps_to_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with processes.picture_processes() as pool:
        assert list(pool.map(os.getenv, NUMPY_THREADS)) == ["1"] * 4
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("scale", [Fraction(3, 2), Fraction(2), Fraction(127, 100), Fraction(4)])
def test_a_scale_set_made_on_the_device_is_the_one_made_by_numpy(scale: Fraction) -> None:
    crops = np.random.default_rng(5).integers(0, 256, (3, 96, 96, 3), np.uint8)
    expected = scale_crops(crops, scale)
    made = DeviceScales(crops, torch.device("cpu"))
    found = made.scaled(scale)
    off = np.abs(found.low.numpy().astype(int) - expected.low)
    # Sums in another order may fall on the other side of a half.
    assert off.max() <= 1 and off.mean() < 1e-3
    assert (found.high, found.ratio) == (expected.high, expected.ratio)
    enlarged = bicubic_stack(found.low.numpy(), (found.high, found.high))
    assert np.abs(made.enlarged(found).numpy().astype(int) - enlarged).max() <= 1
