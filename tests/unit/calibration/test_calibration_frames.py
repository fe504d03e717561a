"""Which references become calibration frames, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.scenes import references, scene, write_scenes

from edge_sr.calibration.frames.selection import choose_frames, liveliest_crop
from edge_sr.calibration.frames.sources import read_references
from edge_sr.calibration.frames.synthetic import synthetic_image
from edge_sr.calibration.recipe import Recipe, read_recipe
from edge_sr.errors import ConfigError, InputError, InputNotFoundError, MediaError
from edge_sr.video.hr_references import HrReference

RECIPE = Recipe(range_frames=4, loss_frames=2, synthetic_images=3, crop=64)


def test_frames_are_shared_out_and_the_rest_spared() -> None:
    frames = choose_frames(references(9), RECIPE)
    assert (len(frames.ranges), len(frames.held_out), frames.spare) == (8, 5, 3)
    built_in = {sample.name for sample in (*frames.ranges, *frames.held_out) if sample.synthetic}
    assert built_in == {"reference card", *(f"synthetic image {i}" for i in range(6))}
    assert frames.summary().startswith("8 frames for the ranges, 5 held out, 7 of both built in")
    used = [sample.sha256 for sample in (*frames.ranges, *frames.held_out)]
    assert len(set(used)) == len(used)


def test_the_same_originals_give_the_same_frames() -> None:
    assert choose_frames(references(9), RECIPE).digest() == choose_frames(references(9), RECIPE).digest()


def test_flat_alike_and_small_originals_are_counted_and_left_out() -> None:
    grey = HrReference("grey", np.full((80, 96, 3), 77, np.uint8))
    twin = HrReference("twin", scene(0) // 255 + scene(0))
    tiny = HrReference("tiny", scene(3, 30, 24))
    frames = choose_frames([*references(4), grey, twin, tiny], RECIPE)
    assert (frames.flat, frames.alike, frames.small) == (1, 1, 1)
    assert {sample.name for sample in frames.held_out if not sample.synthetic} <= {
        f"scene {i}" for i in range(4)
    }


def test_synthetic_images_are_alike_every_time_and_unlike_each_other() -> None:
    every = [synthetic_image(i, 48) for i in range(10)]
    assert all(np.array_equal(picture, synthetic_image(i, 48)) for i, picture in enumerate(every))
    assert len({picture.tobytes() for picture in every}) == 10
    assert all(picture.shape == (48, 48, 3) and picture.std() > 5 for picture in every)


def test_a_sky_is_smooth_and_a_page_is_not() -> None:
    sky, page = synthetic_image(1, 96)[:48].astype(int), synthetic_image(2, 96).astype(int)
    assert np.abs(np.diff(sky, axis=0)).max() <= 3
    assert np.abs(np.diff(page, axis=0)).max() > 100


@pytest.mark.parametrize("index", [5, 11])
def test_a_chart_is_mostly_its_ground(index: int) -> None:
    chart = synthetic_image(index, 96)
    _, counts = np.unique(chart.reshape(-1, 3), axis=0, return_counts=True)
    assert counts.max() > 0.6 * 96 * 96
    assert np.abs(np.diff(chart.astype(int), axis=0)).max() > 50


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_frames_are_refused(count: int) -> None:
    with pytest.raises(InputError, match="at least 2 different frames"):
        choose_frames(references(count), RECIPE)


def test_a_crop_is_where_something_happens() -> None:
    picture = np.full((200, 300, 3), 90, np.uint8)
    picture[140:, 220:] = scene(1, 80, 60)
    crop = liveliest_crop(picture, 64)
    assert crop.shape == (64, 64, 3)
    assert crop.std() > 10


def test_folders_pictures_and_films_are_read(tmp_path: Path, samples: Path) -> None:
    folder = write_scenes(tmp_path / "scenes", 2)
    film = samples / "bunny.mp4"
    names = [reference.name for reference in read_references([folder, folder / "00.png", film])]
    assert names[:3] == ["00.png", "01.png", "00.png"]
    assert names[3] == "bunny.mp4 frame 0"


def test_what_is_absent_or_damaged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError):
        list(read_references([tmp_path / "nothing"]))
    with pytest.raises(InputNotFoundError, match="found none"):
        list(read_references([tmp_path]))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(MediaError):
        list(read_references([tmp_path]))


def test_sub_folders_are_looked_into(tmp_path: Path) -> None:
    for place in ("a.png", "more/b.png", "more/still/c.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene(len(place))).save(tmp_path / place)
    (tmp_path / "more" / "notes.txt").write_text("no picture")
    assert sorted(one.name for one in read_references([tmp_path])) == ["a.png", "b.png", "c.png"]


def test_a_film_that_breaks_midway_is_refused(tmp_path: Path, samples: Path) -> None:
    whole = bytearray((samples / "bunny.mp4").read_bytes())
    start = len(whole) // 2
    whole[start : start + len(whole) // 4] = bytes(len(whole) // 4)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole)
    with pytest.raises(MediaError, match=r"no film|not a film|holds no"):
        list(read_references([broken]))


def test_a_deep_picture_becomes_levels(tmp_path: Path) -> None:
    deep = np.full((40, 50), 0x8000, np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    (reference,) = read_references([tmp_path])
    assert reference.pixels.dtype == np.uint8
    assert int(reference.pixels.mean()) in (127, 128)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("crop = 1000000000", "crop must lie"),
        ('scales = ["1000"]', "scales"),
        ("[budget]\nmean_db = inf\nworst_db = inf", "mean_db"),
    ],
)
def test_a_recipe_out_of_range_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"mine\.toml: .*{says}"):
        read_recipe(path)


def test_a_recipe_with_the_former_names_of_keys_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.toml"
    path.write_text("price_frames = 3\ndrawings = 1\n")
    recipe = read_recipe(path)
    assert (recipe.loss_frames, recipe.synthetic_images) == (3, 1)
    path.write_text("price_frames = 3\nloss_frames = 4\n")
    with pytest.raises(ConfigError, match="'price_frames' is the former name of 'loss_frames': give one"):
        read_recipe(path)
