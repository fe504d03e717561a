"""The ``cuda`` backend on a driver whose GPU is the emulator. ``test_backend.py`` runs this file where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.cuda import open as open_cuda
from edge_sr.backends.cuda.driver.choose import open_driver
from edge_sr.backends.cuda.driver.protocol import KernelDriver, Rectangle, Stream
from edge_sr.backends.cuda.open import joined_form
from edge_sr.backends.cuda.runner import CudaRunner
from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.backends.tensorrt.kernel_decoder import KernelPairEngines
from edge_sr.backends.tensorrt.open import pair_form
from edge_sr.backends.tensorrt.runner import TensorRTRunner
from edge_sr.bundle import open_bundle
from edge_sr.engines.interface.loader import Flavour
from edge_sr.engines.store.identity import BuildSettings, EngineKey
from edge_sr.engines.store.store import EngineStore
from edge_sr.errors import BundleError, EngineError, MemoryLimitError, ShapeError
from edge_sr.grid import sampling_grid
from edge_sr.kinds import Role
from edge_sr.machine.gpu import find_gpu
from edge_sr.plan import Footprint, plan_run
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler
from edge_sr.yuv import YuvColour, YuvColours, YuvFrame

SIZE, AFTER = (50, 38), (121, 77)


def close(result: Any, reference: Any) -> None:
    """As the float16 network is: one level off, in few values."""
    off = np.abs(result.astype(np.float64) - reference) * (1 if reference.dtype == np.uint8 else 255)
    assert result.shape == reference.shape and result.dtype == reference.dtype
    assert off.max() <= 1 and np.mean(off > 0.5) < 0.05


@pytest.fixture(scope="module")
def up() -> Iterator[Upscaler]:
    with Upscaler("diinn-nano", backend="cuda") as upscaler:
        yield upscaler


@pytest.fixture(scope="module")
def cpu() -> Iterator[Upscaler]:
    with Upscaler("diinn-nano", backend="onnxruntime", precision="fp32", threads=1) as upscaler:
        yield upscaler


@pytest.fixture(scope="module")
def picture() -> Any:
    return reference_card(*SIZE)


def runner_of(up: Upscaler) -> CudaRunner:
    runner = up._runner("uint8")
    assert isinstance(runner, CudaRunner)
    return runner


@contextmanager
def short_of_memory(up: Upscaler, left: int) -> Iterator[None]:
    """As if other programs had taken all of the GPU's memory but ``left`` bytes."""
    runner, driver = runner_of(up), runner_of(up)._device.driver
    with driver.entered():
        runner._close_sessions()
        runner._reuse_idle()
        runner._device.gpu.pool.free()
        hog = driver.allocate(driver.memory()[0] - left)
    yield
    with driver.entered():
        hog.free()


def test_it_says_what_it_is(up: Upscaler) -> None:
    assert (up.backend, up.encoder_backend, up.precision) == ("cuda", "cuda", "fp16")


def test_auto_takes_the_gpu() -> None:
    with Upscaler("diinn-nano") as upscaler:
        assert upscaler.backend == "cuda" and "agreed with the CPU" in upscaler.why


@pytest.mark.parametrize("after", [AFTER, (100, 76), (50, 38)])
def test_any_size(up: Upscaler, cpu: Upscaler, picture: Any, after: tuple[int, int]) -> None:
    close(up(picture, size=after), cpu(picture, size=after))


def test_float_pictures(up: Upscaler, cpu: Upscaler, picture: Any) -> None:
    deep = picture[:20].astype(np.float32) / np.float32(255)
    close(up(deep, scale=2), cpu(deep, scale=2))


def test_int8(cpu: Upscaler, picture: Any) -> None:
    """As exact as the bundle states, less half a dB, and chosen by name alone."""
    with Upscaler("diinn-nano", backend="cuda", precision="int8") as upscaler:
        assert upscaler.precision == "int8"
        result, part = upscaler(picture, size=AFTER), picture[:8]
        small = upscaler(part, size=(61, 16))
        frames = [streamed.frame for streamed in upscaler.stream([part] * 4, size=(61, 16))]
    assert all(np.array_equal(frame, small) for frame in frames)
    error = result.astype(np.float64) - cpu(picture, size=AFTER)
    assert np.mean(error**2) > 0 and 10 * np.log10(255**2 / np.mean(error**2)) > 46.3


def test_a_region_is_that_crop_of_the_whole(up: Upscaler, picture: Any) -> None:
    whole, part = up(picture, scale=2), up(picture, scale=2, region=(7, 5, 21, 12))
    assert np.array_equal(part, whole[10:34, 14:56])


def test_encoded_once_and_decoded_often(up: Upscaler, picture: Any) -> None:
    encoded = up.encode(picture)
    for after in (AFTER, (60, 50), AFTER):
        assert np.array_equal(up.decode(encoded, size=after), up(picture, size=after))


class EncoderStandIn:
    """A TensorRT encoder's engine as far as a runner can tell: ONNX Runtime computes, and maps are written as HWC8."""

    scratch_bytes = generation = 0

    def __init__(self, config: RunnerConfig, driver: KernelDriver, channels: int) -> None:
        self._encoder, self._driver, self._channels = OnnxEncoder(config), driver, channels
        self.stream: Stream | None = None
        self._shape: tuple[int, ...] = ()
        self._bound: dict[str, int] = {}
        self.key = EngineKey(
            *("diinn-nano", "encoder", "uint8", "fp16", "", "any", "tensorrt", "0", ""),  # type: ignore[arg-type]
            *(("8.7",), (), BuildSettings(maps_last=True)),
        )

    @property
    def execution(self) -> EncoderStandIn:
        return self

    def reshape(self, shapes: Mapping[str, tuple[int, ...]], stream_handle: int) -> None:
        self._shape = shapes["image"]

    def use_scratch(self, address: int, nbytes: int) -> None:
        pass

    def bind(self, name: str, address: int) -> None:
        self._bound[name] = address

    def enqueue(self, stream_handle: int) -> None:
        stream, image = self.stream, np.empty(self._shape, np.uint8)
        assert stream is not None and stream.handle == stream_handle
        staging = self._driver.allocate_host((image.nbytes,), np.uint8, False)
        whole = Rectangle(0, image.nbytes, 1, image.nbytes)
        self._driver.download_rows(self._bound["image"], staging, whole, stream)
        stream.synchronize()
        image.reshape(-1)[:] = staging.array
        maps = self._encoder.encode(image)[0].transpose(1, 2, 0)
        padding = ((0, 0), (0, 0), (0, self._channels - maps.shape[2]))
        data = np.pad(maps, padding, constant_values=5).astype(np.float16).reshape(-1).view(np.uint8)
        target = self._driver.allocate_host(data.shape, np.uint8, False)
        target.array[:] = data
        self._driver.upload(target, self._bound["maps"], stream)
        stream.synchronize()
        staging.free()
        target.free()


def test_tensorrts_encoder_with_this_decoder(cpu: Upscaler, picture: Any, tmp_path: Path) -> None:
    config, driver = RunnerConfig(open_bundle("diinn-nano"), "fp16"), open_driver()
    form = joined_form(config.bundle)
    assert form is not None and form.channels == 64
    encoder = EncoderStandIn(config, driver, form.channels)

    class Engines(KernelPairEngines):
        def find(self, role: Role, shapes: Any) -> Any:
            return encoder if role == "encoder" else super().find(role, shapes)

        def _key(self) -> EngineKey:
            self.used["encoder"] = SimpleNamespace(manifest=SimpleNamespace(key=encoder.key))  # type: ignore[assignment]
            return super()._key()

    engines = Engines(config, Flavour.TENSORRT, find_gpu(), EngineStore(tmp_path), driver=driver, form=form)
    runner = TensorRTRunner(pair_form(config, engines), "tensorrt", engines.find, driver, graphs=False)
    engines.stream = encoder.stream = runner.compute
    grid, plan = sampling_grid(SIZE, AFTER), plan_run(SIZE, AFTER, None, Footprint(0, 0, 1, None))
    close(runner.decode(runner.encode(picture[None]), picture[None], grid)[0], cpu(picture, size=AFTER))
    streamed = [result.frame for result in runner.stream([picture, picture[::-1].copy()] * 2, plan)]
    for number, frame in enumerate(streamed):
        close(frame, cpu(picture[:: 1 - 2 * (number % 2)].copy(), size=AFTER))
    runner.close()
    engines.close()
    driver.close()


def test_a_decoder_without_room_is_no_decoder_of_tensorrts(tmp_path: Path) -> None:
    config, driver = RunnerConfig(open_bundle("diinn-nano"), "fp16"), open_driver()
    form = joined_form(config.bundle)
    engines = KernelPairEngines(
        *(config, Flavour.TENSORRT, find_gpu(), EngineStore(tmp_path)), driver=driver, form=form
    )
    with driver.entered():
        engines.stream = driver.stream()
        driver.shared_bytes = 5000
        with pytest.raises(
            BundleError, match=r"shared memory, and a block of this GPU has 5,000; use --backend"
        ):
            engines.find("decoder", {})
    engines.close()
    driver.close()


def test_frames_in_flight_are_the_same_frames(up: Upscaler, picture: Any) -> None:
    """Six frames, so that every lane runs its captured graphs; each differs from the next."""
    frames = [np.roll(picture[:16], 5 * number, axis=1).copy() for number in range(6)]
    streamed = list(up.stream(iter(frames), size=(100, 32)))
    for frame, result in zip(frames, streamed, strict=True):
        assert result.times.encoder_ms > 0 and result.times.decoder_ms > 0
        assert np.array_equal(result.frame, up(frame, size=(100, 32)))


def test_frames_of_another_size_are_refused(up: Upscaler, picture: Any) -> None:
    plan = plan_run(SIZE, AFTER, None, Footprint(0, 0, 1, None))
    with pytest.raises(ShapeError, match="frames in flight must all be"):
        list(runner_of(up).stream([picture, picture[:20]], plan))


def test_without_room_for_a_frame_it_is_cut_into_strips(up: Upscaler, cpu: Upscaler) -> None:
    tall, colour = reference_card(18, 72), YuvColour((0.2126, 0.0722), full_range=False)
    yuv = YuvFrame(tall.reshape(-1, 18)[:108], YuvColours(colour, colour))
    whole, (whole_yuv,) = up(tall, scale=2), up.stream([yuv], size=(36, 144))
    with short_of_memory(up, 270_000), pytest.warns(UserWarning, match="strips of"):
        cut = up(tall, scale=2)
        streamed = list(up.stream([tall, yuv], size=(36, 144)))
    assert np.array_equal(cut, whole) and np.array_equal(streamed[0].frame, whole)
    assert np.array_equal(streamed[1].frame, whole_yuv.frame)
    runner_of(up)._most_pixels = None
    close(cut, cpu(tall, scale=2))


def test_without_room_for_a_strip_it_says_so(up: Upscaler, picture: Any) -> None:
    with short_of_memory(up, 20_000), pytest.raises(MemoryLimitError, match=r"no room|out of memory"):
        up(picture, scale=3)


def test_memory_is_given_back(picture: Any) -> None:
    with Upscaler("diinn-nano", backend="cuda") as upscaler:
        device = runner_of(upscaler)._device
        before = device.gpu.free_at_start
        for _ in range(3):
            upscaler(picture[:12], scale=2)
            list(upscaler.stream([picture[:12]], size=(100, 24)))
        upscaler(picture[:8], scale=2)
        assert upscaler.device_bytes is not None and upscaler.device_bytes < before
    with Upscaler("diinn-nano", backend="cuda") as upscaler:
        assert runner_of(upscaler)._device.gpu.free_at_start == before


def test_a_network_that_comes_to_no_runner_leaves_nothing_on_the_gpu(
    up: Upscaler, picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its kernels have no room or compute wrong pictures: ``auto`` goes on without the GPU."""
    runner, config = runner_of(up), RunnerConfig(open_bundle("diinn-nano"), "fp16")
    opened: list[KernelDriver] = []
    closed: list[KernelDriver] = []

    def noted() -> KernelDriver:
        opened.append(driver := open_driver())
        monkeypatch.setattr(driver, "close", lambda close=driver.close: (closed.append(driver), close()))
        return driver

    def wrong(runner: CudaRunner, *_: Any) -> None:
        image = picture[None, :12]
        runner.decode(runner.encode(image), image, sampling_grid((SIZE[0], 12), (60, 14)))
        raise EngineError("wrong pictures")

    def free_bytes() -> int:
        with runner._device.driver.entered():
            return runner._device.driver.memory()[0]

    monkeypatch.setattr(open_cuda, "open_driver", noted)
    before = free_bytes()
    for stage, refusal in (("decoder_kernels", lambda *_: []), ("require_verified", wrong)):
        with monkeypatch.context() as patch, pytest.raises((ValueError, EngineError)):
            patch.setattr(open_cuda, stage, refusal)
            open_cuda.open_runner(config)
    assert len(opened) == 2 and closed == opened and free_bytes() == before
