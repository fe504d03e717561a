"""Which backends there are, whether they work here, and how each opens a bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from edge_sr.backends.base import DeviceNetwork, Encoder, Runner
from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.backends.single_graph.flight import PictureFlight
from edge_sr.backends.single_graph.runner import AroundNetwork, FixedRunner, RefineRunner
from edge_sr.bundle import Bundle
from edge_sr.engines.interface.loader import Flavour
from edge_sr.errors import BundleError, MissingError, OptionError

Open = Callable[[Bundle, str, str, int], Runner]
OpenNetwork = Callable[[Bundle, str, str, int], Encoder]
Obstacle = Callable[[], str | None]
Fits = Callable[[Bundle], bool]
Lowers = Callable[[], tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Backend:
    """``obstacle`` says in a line what is missing here, or None; ``fits`` whether the backend takes a bundle.

    ``open_pair`` opens an encoder with its decoder, ``open_network`` the one graph of a network from picture to
    picture. ``lowers``: precisions that it computes here from a bundle's fp32 graphs, by itself.
    """

    name: str
    open_pair: Open
    obstacle: Obstacle
    fits: Fits
    lowers: Lowers = tuple
    open_network: OpenNetwork | None = None

    def open(self, bundle: Bundle, precision: str, io: str, threads: int) -> Runner:
        """A runner for ``bundle``, whatever its kind; raises what the library's own opening raises."""
        around = AROUND_NETWORKS.get(bundle.kind)
        if around is None:
            return self.open_pair(bundle, precision, io, threads)
        if self.open_network is None:
            raise BundleError(f"backend {self.name} runs pairs of graphs alone; use --backend onnxruntime")
        network = self.open_network(bundle, precision, io, threads)
        runner = around(bundle, network, precision)
        return PictureFlight(runner, network) if isinstance(network, DeviceNetwork) else runner


AROUND_NETWORKS: dict[str, Callable[[Bundle, Encoder, str], AroundNetwork]] = {
    "fixed": FixedRunner,
    "refine": RefineRunner,
}


def _open_onnxruntime(bundle: Bundle, precision: str, io: str, threads: int) -> Runner:
    from edge_sr.backends.onnxruntime.runner import OnnxRunner

    return OnnxRunner(bundle, precision, io, threads)


def _open_onnxruntime_network(bundle: Bundle, precision: str, io: str, threads: int) -> Encoder:
    return OnnxEncoder(bundle, precision, io, threads, "network")


def _open_native(bundle: Bundle, precision: str, io: str, threads: int) -> Runner:
    from edge_sr.backends.native.runner import NativeRunner

    return NativeRunner(bundle, precision, io, threads)


def _native_obstacle() -> str | None:
    from edge_sr.backends.native import decoder as native

    return None if native.available() else native.why_not()


def _native_lowers() -> tuple[str, ...]:
    from edge_sr.backends.native import decoder as native

    return ("bf16",) if native.BF16_KERNELS.intersection(native.kernels()) else ()


def _native_fits(bundle: Bundle) -> bool:
    return bundle.decoder_weights() is not None


def _open_openvino(bundle: Bundle, precision: str, io: str, threads: int) -> Runner:
    from edge_sr.backends.openvino.runner import OpenVinoRunner

    return OpenVinoRunner(bundle, precision, io, threads)


def _open_openvino_network(bundle: Bundle, precision: str, io: str, threads: int) -> Encoder:
    from edge_sr.backends.openvino.encoder import OpenVinoEncoder

    stored = "fp32" if precision == "bf16" else precision
    # The picture itself passes through this graph, and bfloat16 around INT8 can cost more than INT8 does.
    around = "bf16" if precision == "bf16" else "fp32"
    return OpenVinoEncoder(bundle.graph("network", stored, io), around, threads)


def _openvino_obstacle() -> str | None:
    from edge_sr.backends.openvino import runner as openvino_runner

    return openvino_runner.obstacle()


def _openvino_fits(bundle: Bundle) -> bool:
    from edge_sr.backends.openvino import runner as openvino_runner

    return openvino_runner.fits(bundle)


def _openvino_lowers() -> tuple[str, ...]:
    from edge_sr.backends.openvino import runner as openvino_runner

    return openvino_runner.lowers()


def _tensorrt(flavour: Flavour) -> Backend:
    def open_tensorrt(bundle: Bundle, precision: str, io: str, _threads: int) -> Runner:
        from edge_sr.backends.tensorrt.open import open_runner

        return open_runner(bundle, precision, io, flavour)

    def open_tensorrt_network(bundle: Bundle, precision: str, io: str, _threads: int) -> Encoder:
        from edge_sr.backends.tensorrt.open import open_network

        return open_network(bundle, precision, io, flavour)

    def obstacle() -> str | None:
        from edge_sr.backends.tensorrt import open as tensorrt_open

        return tensorrt_open.obstacle(flavour)

    return Backend(flavour.value, open_tensorrt, obstacle, _anything, tuple, open_tensorrt_network)


def _anything(_bundle: Bundle) -> bool:
    return True


def _nothing_missing() -> str | None:
    return None


BACKENDS: dict[str, Backend] = {
    "native": Backend("native", _open_native, _native_obstacle, _native_fits, _native_lowers),
    "onnxruntime": Backend(
        "onnxruntime", _open_onnxruntime, _nothing_missing, _anything, tuple, _open_onnxruntime_network
    ),
    "openvino": Backend(
        "openvino",
        _open_openvino,
        _openvino_obstacle,
        _openvino_fits,
        _openvino_lowers,
        _open_openvino_network,
    ),
    **{flavour.value: _tensorrt(flavour) for flavour in Flavour},
}


def choose_backend(name: str, bundle: Bundle) -> Backend:
    """The backend of that name, or for ``auto`` the first that works here and takes the bundle.

    Raises ``OptionError`` for an unknown name, ``MissingError`` for one that cannot work here, ``BundleError`` for
    one that does not take the bundle.
    """
    if name == "auto":
        return next(
            backend for backend in BACKENDS.values() if backend.fits(bundle) and not backend.obstacle()
        )
    if name not in BACKENDS:
        raise OptionError(f"backend must be auto or one of {', '.join(BACKENDS)}, found {name!r}")
    backend = BACKENDS[name]
    if reason := backend.obstacle():
        raise MissingError(f"backend {name} cannot run here: {reason}")
    if not backend.fits(bundle):
        raise BundleError(f"backend {name} does not take bundle {bundle.name}; use --backend onnxruntime")
    return backend
