"""The ``cuda`` backend: from a bundle to a runner on this machine's first GPU."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from numpy.typing import NDArray

from edge_sr.backends.base import Runner, RunnerConfig
from edge_sr.backends.cuda import variants
from edge_sr.backends.cuda.device import Arena, KernelDevice
from edge_sr.backends.cuda.driver.choose import open_driver
from edge_sr.backends.cuda.encoder_run import Variant
from edge_sr.backends.cuda.kernels import decoder_kernels
from edge_sr.backends.cuda.network.form import (
    CHANNELS,
    LARGEST_WIDTH,
    DecoderForm,
    EncoderForm,
    Int8Form,
    joins,
)
from edge_sr.backends.cuda.network.int8 import int8_tensors
from edge_sr.backends.cuda.network.weights import EncoderWeights, decoder_weights, encoder_weights
from edge_sr.backends.cuda.programs import DecoderProgram, EncoderProgram
from edge_sr.backends.cuda.runner import CudaRunner
from edge_sr.backends.cuda.session import ResidentNetwork
from edge_sr.backends.cuda.verification import require_verified
from edge_sr.backends.native.onnx_file import read_graph
from edge_sr.bundle import Bundle
from edge_sr.errors import BundleError
from edge_sr.machine.gpu import Gpu, find_gpu
from edge_sr.spec import NetworkSpec


def forms_of(bundle: Bundle) -> tuple[EncoderForm, DecoderForm] | None:
    """The forms of a bundle's network; ``None`` when there are no kernels for it."""
    if (
        bundle.kind != "implicit"
        or bundle.decoder_weights() is None
        or bundle.find("encoder", "fp32") is None
    ):
        return None
    encoder, decoder = bundle.network.encoder, bundle.network.decoder
    residual = encoder.kind == "residual" and encoder.channels in CHANNELS
    known = decoder.mode <= 3 and not decoder.init_q and max(decoder.widths) <= LARGEST_WIDTH
    if not (residual and known):
        return None
    form = DecoderForm(tuple(decoder.widths), decoder.mode, decoder.bilinear_base)
    return EncoderForm(encoder.channels), form


def joined_form(bundle: Bundle) -> DecoderForm | None:
    """The decoder that reads maps as a TensorRT engine writes them; ``None`` when there are no kernels for it."""
    network = bundle.description.network
    if (
        bundle.kind != "implicit"
        or bundle.description.weights is None
        or not isinstance(network, NetworkSpec)
    ):
        return None
    decoder, widths = network.decoder, tuple(network.decoder.widths)
    known = decoder.mode <= 3 and not decoder.init_q and max(widths) <= LARGEST_WIDTH
    return (
        DecoderForm(widths, decoder.mode, decoder.bilinear_base, joined=True)
        if known and joins(widths)
        else None
    )


def takes(bundle: Bundle) -> bool:
    return forms_of(bundle) is not None


def open_runner(config: RunnerConfig) -> Runner:
    """Loads kernels, chooses among them and verifies them where this GPU is new to them.

    Raises ``MissingError`` without a GPU or a driver package, ``BundleError`` for a decoder that does not fit this GPU
    or an encoder's graph of another form, ``EngineError`` for kernels that compute wrong pictures.
    """
    forms = forms_of(config.bundle)
    if forms is None:
        raise BundleError(
            f"backend cuda has no kernels for bundle {config.bundle.name}; use --backend native"
        )
    gpu, driver = find_gpu(), open_driver()
    # What comes to no runner leaves nothing on the GPU: whoever asked may go on without it for hours.
    with ExitStack() as undo:
        undo.callback(driver.close)
        device = KernelDevice(driver)
        arena = Arena(device)
        undo.callback(_give_back, device, arena)
        with driver.entered():
            device.load(*forms, *([Int8Form(forms[0].channels)] if config.precision == "int8" else []))
            device.require_room(*decoder_kernels(forms[1], config.sample_type))
            network = _place(config, forms, device, arena, gpu)
        runner = CudaRunner(device, network, arena, config)
        undo.pop_all()
        undo.callback(runner.close)
        require_verified(runner, config, device, gpu)
        undo.pop_all()
    return runner


def _give_back(device: KernelDevice, arena: Arena) -> None:
    with device.driver.entered():
        arena.free()
        device.close()


def _place(
    config: RunnerConfig,
    forms: tuple[EncoderForm, DecoderForm],
    device: KernelDevice,
    arena: Arena,
    gpu: Gpu,
) -> ResidentNetwork:
    (encoder_form, decoder_form), bundle = forms, config.bundle
    decoder = DecoderProgram(
        decoder_form, decoder_weights(bundle.decoder_arrays(), decoder_form), arena.place
    )
    weights = _encoder_weights(config, encoder_form, decoder_form)
    encoder = EncoderProgram(encoder_form, decoder_form, weights, arena.place)
    halo = bundle.description.radius + 1
    network = ResidentNetwork(encoder_form, decoder_form, encoder, decoder, Variant(), halo)
    best = variants.fastest(device, gpu, encoder_form, encoder, 2 * decoder_form.channels)
    return dataclasses.replace(network, variant=best)


def _encoder_weights(config: RunnerConfig, encoder: EncoderForm, decoder: DecoderForm) -> EncoderWeights:
    """``BundleError`` for a graph whose tensors are not those of the exported form."""
    bundle = config.bundle
    try:
        weights = encoder_weights(_tensors(config), encoder, decoder)
        if len(weights.blocks) != bundle.network.encoder.blocks:
            raise LookupError("a block whose tensors are not there by name")
    except BundleError:
        raise
    except (LookupError, ValueError) as error:
        raise BundleError(
            f"expected an encoder as edge-sr export writes it, found a graph of another form in bundle "
            f"{bundle.name}; use --backend onnxruntime"
        ) from error
    return weights


def _tensors(config: RunnerConfig) -> Mapping[str, NDArray[Any]]:
    """Weights by the names of the encoder's graph: for int8 that of the bundle's scheme, else the fp32 one."""
    if config.precision == "int8":
        return int8_tensors(read_graph(config.bundle.graph("encoder", "int8")))
    return read_graph(config.bundle.graph("encoder", "fp32")).arrays
