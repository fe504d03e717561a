"""Which backends there are, whether they work here, and how each opens a bundle."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from edge_sr.backends.base import DeviceNetwork, Encoder, Runner, RunnerConfig
from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.backends.single_graph.runner import AroundNetwork, FixedRunner, RefineRunner
from edge_sr.backends.single_graph.stream import SingleGraphStream
from edge_sr.bundle import Bundle
from edge_sr.engines.interface.loader import Flavour
from edge_sr.errors import BundleError, MissingError, OptionError
from edge_sr.kinds import Precision, Scheme

Open = Callable[[RunnerConfig], Runner]
OpenNetwork = Callable[[RunnerConfig], Encoder]
UnavailableReason = Callable[[], str | None]
Takes = Callable[[Bundle], bool]
Precisions = Callable[[], tuple[Precision, ...]]


@dataclasses.dataclass(frozen=True)
class Backend:
    """``unavailable_reason`` says in a line what is missing here, or None; ``takes`` whether it runs a bundle.

    ``open_pair`` opens an encoder with its decoder, ``open_network`` the one graph of a network from picture to
    picture. ``lowers``: precisions that it computes here from a bundle's fp32 graphs, by itself; ``refuses``: those
    that it does not run even from graphs of their own. ``scheme``: the INT8 graphs that suit it best. ``computes``: all
    the precisions of a backend that takes weights, whatever graphs a bundle has, but for INT8, whose scales it needs.
    ``decodes_in_bf16``: the decoder of a pair in bfloat16 or INT8 is computed in bfloat16 where the processor knows it,
    not in float32.
    """

    name: str
    open_pair: Open
    unavailable_reason: UnavailableReason
    takes: Takes
    lowers: Precisions = tuple
    open_network: OpenNetwork | None = None
    refuses: tuple[Precision, ...] = ()
    scheme: Scheme = "int8-cpu"
    computes: tuple[Precision, ...] = ()
    decodes_in_bf16: bool = False

    def open(self, config: RunnerConfig) -> Runner:
        """A runner for the bundle, whatever its kind; raises what the library's own opening raises."""
        around = AROUND_NETWORKS.get(config.bundle.kind)
        if around is None:
            return self.open_pair(config)
        if self.open_network is None:
            raise BundleError(f"backend {self.name} runs pairs of graphs alone; use --backend onnxruntime")
        network = self.open_network(config)
        runner = around(config, network)
        return SingleGraphStream(runner, network) if isinstance(network, DeviceNetwork) else runner

    def precisions(self, bundle: Bundle) -> tuple[Precision, ...]:
        """What it offers for ``bundle`` here: what the bundle carries and what it lowers, less what it refuses."""
        if self.computes:
            return tuple(name for name in self.computes if name != "int8" or "int8" in bundle.schemes)
        offered = dict.fromkeys([*bundle.precisions, *self.lowers()])
        return tuple(name for name in offered if name not in self.refuses)

    def scheme_for(self, bundle: Bundle, precision: Precision) -> Scheme | None:
        """Which of the bundle's INT8 graphs it runs; None for other precisions."""
        if precision != "int8":
            return None
        return self.scheme if self.scheme in bundle.schemes else "int8"


AROUND_NETWORKS: dict[str, Callable[[RunnerConfig, Encoder], AroundNetwork]] = {
    "fixed": FixedRunner,
    "refine": RefineRunner,
}


def _open_onnxruntime(config: RunnerConfig) -> Runner:
    from edge_sr.backends.onnxruntime.runner import OnnxRunner

    return OnnxRunner(config)


def _open_onnxruntime_network(config: RunnerConfig) -> Encoder:
    return OnnxEncoder(config, "network")


def _open_native(config: RunnerConfig) -> Runner:
    from edge_sr.backends.native.runner import NativeRunner

    return NativeRunner(config)


def _native_unavailable() -> str | None:
    from edge_sr.backends.native import library

    return None if library.available() else library.why_not()


def _native_lowers() -> tuple[Precision, ...]:
    from edge_sr.backends.native.kernels import has_bf16

    return ("bf16",) if has_bf16() else ()


def _native_takes(bundle: Bundle) -> bool:
    from edge_sr.backends.native import decoder

    return bundle.decoder_weights() is not None and decoder.fits(bundle.network.decoder.widths)


def _open_openvino(config: RunnerConfig) -> Runner:
    from edge_sr.backends.openvino.runner import OpenVinoRunner

    return OpenVinoRunner(config)


def _open_openvino_network(config: RunnerConfig) -> Encoder:
    from edge_sr.backends.openvino.encoder import OpenVinoEncoder

    # The picture itself passes through this graph, and bfloat16 around INT8 can cost more than INT8 does.
    around: Precision = "bf16" if config.precision == "bf16" else "fp32"
    return OpenVinoEncoder(config.file("network"), around, config.threads)


def _openvino_unavailable() -> str | None:
    from edge_sr.backends.openvino import runner as openvino_runner

    return openvino_runner.unavailable_reason()


def _openvino_takes(bundle: Bundle) -> bool:
    from edge_sr.backends.openvino import runner as openvino_runner

    return openvino_runner.takes(bundle)


def _openvino_lowers() -> tuple[Precision, ...]:
    from edge_sr.backends.openvino import runner as openvino_runner

    return openvino_runner.lowers()


def _open_cuda(config: RunnerConfig) -> Runner:
    from edge_sr.backends.cuda.open import open_runner

    return open_runner(config)


def _cuda_unavailable() -> str | None:
    from edge_sr.backends.cuda.driver.choose import unavailable_reason

    return unavailable_reason()


def _cuda_takes(bundle: Bundle) -> bool:
    from edge_sr.backends.cuda.open import takes

    return takes(bundle)


def _tensorrt(flavour: Flavour) -> Backend:
    def open_tensorrt(config: RunnerConfig) -> Runner:
        from edge_sr.backends.tensorrt.open import open_runner

        return open_runner(config, flavour)

    def open_tensorrt_network(config: RunnerConfig) -> Encoder:
        from edge_sr.backends.tensorrt.open import open_network

        return open_network(config, flavour)

    def unavailable_reason() -> str | None:
        from edge_sr.backends.tensorrt import open as tensorrt_open

        return tensorrt_open.unavailable_reason(flavour)

    return Backend(
        flavour.value,
        open_tensorrt,
        unavailable_reason,
        _anything,
        open_network=open_tensorrt_network,
        scheme="int8",
    )


def _anything(_bundle: Bundle) -> bool:
    return True


def _nothing_missing() -> str | None:
    return None


BACKENDS: dict[str, Backend] = {
    "native": Backend(
        "native",
        _open_native,
        _native_unavailable,
        _native_takes,
        _native_lowers,
        decodes_in_bf16=True,
    ),
    "onnxruntime": Backend(
        "onnxruntime", _open_onnxruntime, _nothing_missing, _anything, tuple, _open_onnxruntime_network
    ),
    "openvino": Backend(
        "openvino",
        _open_openvino,
        _openvino_unavailable,
        _openvino_takes,
        _openvino_lowers,
        _open_openvino_network,
        refuses=("fp16",),
    ),
    "cuda": Backend(
        "cuda", _open_cuda, _cuda_unavailable, _cuda_takes, scheme="int8", computes=("fp16", "int8")
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
            backend
            for backend in BACKENDS.values()
            if not backend.unavailable_reason() and backend.takes(bundle)
        )
    if name not in BACKENDS:
        raise OptionError(f"backend must be auto or one of {', '.join(BACKENDS)}, found {name!r}")
    backend = BACKENDS[name]
    if reason := backend.unavailable_reason():
        raise MissingError(f"backend {name} cannot run here: {reason}")
    if not backend.takes(bundle):
        raise BundleError(f"backend {name} does not take bundle {bundle.name}; use --backend onnxruntime")
    return backend
