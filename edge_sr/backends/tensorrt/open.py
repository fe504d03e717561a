"""The ``tensorrt`` and ``tensorrt-rtx`` backends: whether they run here, and from a bundle to a runner."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack

from edge_sr.backends.base import DeviceNetwork, Runner, RunnerConfig
from edge_sr.backends.cuda.driver import choose
from edge_sr.backends.cuda.driver.protocol import KernelDriver
from edge_sr.backends.cuda.open import joined_form
from edge_sr.backends.tensorrt.engines import NetworkEngines, PairEngines
from edge_sr.backends.tensorrt.kernel_decoder import KernelPairEngines
from edge_sr.backends.tensorrt.network import TensorRTNetwork
from edge_sr.backends.tensorrt.runner import PairForm, TensorRTRunner
from edge_sr.backends.tensorrt.verification.network import VerifiedNetwork
from edge_sr.backends.tensorrt.verification.pair import VerifiedRunner
from edge_sr.engines.interface import loader as trt
from edge_sr.engines.interface.loader import Flavour
from edge_sr.engines.store.store import EngineStore
from edge_sr.errors import MissingError
from edge_sr.machine.gpu import find_gpu


def unavailable_reason(flavour: Flavour) -> str | None:
    """What is missing here to run engines of this flavour, in one line, or ``None``."""
    if trt.installed_version(flavour) is None:
        return f"{flavour.value} is not installed here: pip install 'edge-sr[{flavour.value}]'"
    if reason := choose.unavailable_reason():
        return reason
    gpu = find_gpu()
    if flavour is Flavour.RTX and gpu.compute_capability not in trt.RTX_COMPUTE_CAPABILITIES:
        return f"TensorRT for RTX does not know {gpu.name} (compute capability {gpu.compute_capability})"
    return None


def open_runner(config: RunnerConfig, flavour: Flavour, graphs: bool | None = None) -> Runner:
    """The runner on this machine's first GPU; ``MissingError`` when something for it is not here.

    ``graphs``: capture CUDA graphs; by default where TensorRT allows that for sure.
    """
    _require_here(flavour)
    # TensorRT for RTX captures only engines that allocate nothing, which these were not built as.
    captured = flavour is Flavour.TENSORRT if graphs is None else graphs
    with ExitStack() as undo:
        driver = choose.open_driver()
        undo.callback(driver.close)
        engines = find_engines(config, flavour, driver)
        inner = TensorRTRunner(pair_form(config, engines), flavour.value, engines.find, driver, captured)
        undo.pop_all()
    if isinstance(engines, KernelPairEngines):
        engines.stream = inner.compute
    return VerifiedRunner(inner, engines, driver)


def find_engines(config: RunnerConfig, flavour: Flavour, driver: KernelDriver) -> PairEngines:
    """Where an encoder was built for the kernels' decoder that one with it, else two engines."""
    gpu, store, form = find_gpu(), EngineStore(), joined_form(config.bundle)
    if form is not None and config.require("encoder").outputs[0].dtype == "float16":
        joined = KernelPairEngines(config, flavour, gpu, store, driver=driver, form=form)
        if joined.has_encoder():
            return joined
    return PairEngines(config, flavour, gpu, store)


def pair_form(config: RunnerConfig, engines: PairEngines) -> PairForm:
    """What lies between the two: with the kernels' decoder, maps whose channels are padded."""
    form = PairForm.of(config)
    if not isinstance(engines, KernelPairEngines) or engines.form is None:
        return form
    return dataclasses.replace(form, pair=dataclasses.replace(form.pair, channels=engines.form.channels))


def open_network(config: RunnerConfig, flavour: Flavour) -> DeviceNetwork:
    """The network of one graph on this machine's first GPU; ``MissingError`` when something for it is not here."""
    _require_here(flavour)
    engines, driver = NetworkEngines(config, flavour, find_gpu(), EngineStore()), choose.open_driver()
    return VerifiedNetwork(
        TensorRTNetwork(config, flavour.value, engines.find_window, driver), engines, driver
    )


def _require_here(flavour: Flavour) -> None:
    reason = unavailable_reason(flavour)
    if reason is not None:
        raise MissingError(f"backend {flavour.value} cannot run here: {reason}")
