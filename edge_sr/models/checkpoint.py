"""Import of trained networks: the authors' Lightning files, bare state dicts, and safetensors.

A checkpoint is foreign data: nothing in it is ever run (``pickled.py``).
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edge_sr.bundle import file_sha256
from edge_sr.errors import CheckpointError, InputNotFoundError
from edge_sr.machine.optional import require
from edge_sr.models.families import FAMILIES, build_network, family_of, recognise
from edge_sr.models.foreign_tensor import plain_tensor
from edge_sr.models.implicit import liif
from edge_sr.models.implicit.diinn import Diinn
from edge_sr.models.infer import infer_spec
from edge_sr.models.pickled import read_pickled
from edge_sr.spec import DecoderSpec, NetworkSpec, PublishedSpec, load_network

PREFIXES = ("net.", "module.", "model.")
NORMALISATION = ("sub", "div")
# Where files keep their state dict beside other things; BasicSR's average of weights goes before the last ones.
WRAPPERS = ("state_dict", "params_ema", "params", "model")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Tensors under the project's keys, float32, with the description that fits them."""

    spec: NetworkSpec | PublishedSpec
    tensors: dict[str, Tensor]
    sha256: str
    notes: tuple[str, ...] = ()

    def network(self) -> nn.Module:
        """The network in its paper's form with these weights, in evaluation mode."""
        network = build(self.spec)
        network.load_state_dict(self.tensors)
        return network.eval()


def build(spec: NetworkSpec | PublishedSpec) -> nn.Module:
    """The network of a description, with untrained weights."""
    return Diinn(spec) if isinstance(spec, NetworkSpec) else build_network(spec)


@dataclasses.dataclass(frozen=True)
class DecoderStatement:
    """What a file says of its network beside its tensors; None where it says nothing."""

    arch: str | None = None
    mode: int | None = None
    init_q: bool | None = None
    bilinear_base: bool | None = None


def load_checkpoint(path: Path, stated: NetworkSpec | PublishedSpec | None = None) -> Checkpoint:
    """Read ``path`` and check every tensor's name and shape.

    The description is inferred from names and shapes, then held against ``stated``, against the file's own
    hyperparameters, and against ``NAME.json`` beside it. Raises ``InputNotFoundError``, or ``CheckpointError``
    naming the first tensor that is missing, extra or mis-shaped, or the statement that the tensors contradict.
    """
    if not path.exists():
        raise InputNotFoundError(f"no such checkpoint: {path}")
    if not path.is_file():
        raise CheckpointError(f"expected a checkpoint's file, found the folder {path}")
    raw, statement = _read(path)
    tensors = _without_normalisation(_under_project_keys(raw))
    stated = stated or _description_beside(path)
    name = path.stem.split(".")[0]
    spec: NetworkSpec | PublishedSpec
    implicit = any(key.startswith("decoder.") for key in tensors)
    if isinstance(stated, NetworkSpec) or (stated is None and implicit):
        spec, notes = _diinn(name, tensors, statement, stated)
    else:
        spec, tensors, notes = _published(name, tensors, stated)
    if statement.arch not in (None, spec.network):
        raise CheckpointError(f"the file states arch {statement.arch}, its tensors are {spec.network}'s")
    check_tensors(spec, tensors)
    count = sum(tensor.numel() for tensor in tensors.values())
    if spec.parameters and spec.parameters != count:
        raise CheckpointError(f"the description states {spec.parameters} parameters, the file holds {count}")
    return Checkpoint(dataclasses.replace(spec, parameters=count), tensors, file_sha256(path), tuple(notes))


def _diinn(
    name: str, tensors: Mapping[str, Tensor], statement: DecoderStatement, stated: NetworkSpec | None
) -> tuple[NetworkSpec, list[str]]:
    if stated is not None:
        statement = _agreed(statement, stated.decoder)
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    base = bool(statement.bilinear_base)
    spec, notes = infer_spec(name, shapes, statement.mode, statement.init_q, base)
    return (spec if stated is None else _checked_against(spec, stated)), notes


def _published(
    name: str, tensors: dict[str, Tensor], stated: PublishedSpec | None
) -> tuple[PublishedSpec, dict[str, Tensor], list[str]]:
    """Another network, by its layout; what shapes cannot say (0 in its options) must be stated."""
    found = recognise(name, tensors)
    if found is None:
        some = ", ".join(sorted(tensors)[:3])
        raise CheckpointError(f"expected DIINN's decoder.K or one of {', '.join(FAMILIES)}, found {some} ...")
    spec, renamed = found
    assumed = family_of(spec).assumed(tensors)
    options = _stated_options(spec, stated, assumed)
    notes = [
        f"{key} {options[key]} is assumed" for key in sorted(assumed - set(stated.options if stated else ()))
    ]
    return dataclasses.replace(stated or spec, options=options), renamed, notes


def _stated_options(
    spec: PublishedSpec, stated: PublishedSpec | None, assumed: frozenset[str]
) -> dict[str, Any]:
    """The options of ``spec``, which tensors told, with what they cannot tell from ``stated``."""
    if stated and stated.network != spec.network:
        raise CheckpointError(f"the tensors are {spec.network}'s, the description states {stated.network}")
    options = dict(spec.options)
    for key, value in (stated.options if stated else {}).items():
        told = options.get(key, value)
        if key not in assumed and not _agrees(told, value):
            raise CheckpointError(f"the tensors make {key} {told}, the description states {value}")
        options[key] = {**told, **value} if isinstance(value, Mapping) else value
    unsaid = [key for key, value in options.items() if type(value) is int and value == 0]
    if unsaid:
        raise CheckpointError(
            f"{unsaid[0]} cannot be told from {spec.network}'s tensors: state it in a model spec's options"
        )
    return options


def _agrees(told: Any, value: Any) -> bool:
    """Whether tensors that make ``told`` allow ``value``; 0 stands for what they cannot tell."""
    if isinstance(value, Mapping):
        return isinstance(told, Mapping) and all(_agrees(told.get(key), value[key]) for key in value)
    return told in (0, tuple(value) if isinstance(value, list) else value)


def check_tensors(spec: NetworkSpec | PublishedSpec, tensors: Mapping[str, Tensor]) -> None:
    """Raise ``CheckpointError`` for the first tensor that does not belong to the network of ``spec``."""
    with torch.device("meta"):
        expected = {key: tuple(tensor.shape) for key, tensor in build(spec).state_dict().items()}
    for key, shape in expected.items():
        if key not in tensors:
            raise CheckpointError(f"tensor {key} is missing; expected one of shape {_by(shape)}")
        if tuple(tensors[key].shape) != shape:
            raise CheckpointError(
                f"tensor {key}: expected shape {_by(shape)}, found {_by(tensors[key].shape)}"
            )
    for key, tensor in tensors.items():
        if key not in expected:
            raise CheckpointError(f"tensor {key} ({_by(tensor.shape)}) is no part of {_described(spec)}")
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"tensor {key} holds values that are not finite")


def _described(spec: NetworkSpec | PublishedSpec) -> str:
    return spec.network if isinstance(spec, PublishedSpec) else f"a {spec.encoder.kind} network"


def _by(shape: Any) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _read(path: Path) -> tuple[dict[str, Any], DecoderStatement]:
    if path.suffix == ".safetensors":
        return _read_safetensors(path), DecoderStatement()
    content = read_pickled(path)
    if not isinstance(content, Mapping):
        raise CheckpointError(
            f"{path}: expected a checkpoint or a state dict, found {type(content).__name__}"
        )
    if isinstance(model := content.get("model"), Mapping) and "sd" in model:
        return _read_made(path, model)
    wrapper = next((key for key in WRAPPERS if key in content), None)
    if wrapper is None:
        return dict(content), DecoderStatement()
    state, hyperparameters = content[wrapper], content.get("hyper_parameters", {})
    if not isinstance(state, Mapping):
        raise CheckpointError(f"{path}: {wrapper} must be a mapping, found {type(state).__name__}")
    return dict(state), _statement(path, hyperparameters)


def _read_made(path: Path, model: Mapping[str, Any]) -> tuple[dict[str, Any], DecoderStatement]:
    """LIIF's own files: ``name`` and ``args`` of what makes the network, ``sd`` its state dict."""
    state, arguments = model["sd"], model.get("args", {})
    if not isinstance(state, Mapping) or not isinstance(arguments, Mapping):
        raise CheckpointError(f"{path}: model's sd and args must be mappings")
    liif.check_arguments(arguments)
    return dict(state), DecoderStatement(_arch(path, model.get("name"), ("liif", "metasr")))


def _read_safetensors(path: Path) -> dict[str, Any]:
    safetensors = require("safetensors.torch", "reading .safetensors")
    try:
        tensors: dict[str, Any] = safetensors.load_file(path)
    except Exception as error:  # safetensors raises its own type, which has no public name in older releases
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}") from error
    return tensors


def _statement(path: Path, hyperparameters: Any) -> DecoderStatement:
    if isinstance(hyperparameters, argparse.Namespace):
        hyperparameters = vars(hyperparameters)
    if not isinstance(hyperparameters, Mapping):
        raise CheckpointError(f"{path}: hyper_parameters must be a mapping")
    arch = _arch(path, hyperparameters.get("arch", "diinn"), ("diinn", "liif", "metasr"))
    if arch != "diinn":
        return DecoderStatement(arch)
    mode, init_q = hyperparameters.get("mode"), hyperparameters.get("init_q")
    known = mode is None or str(mode) in ("1", "2", "3", "4")
    if not known or not (init_q is None or isinstance(init_q, int)):
        raise CheckpointError(f"{path}: expected mode 1 to 4 and init_q, found {mode!r} and {init_q!r}")
    return DecoderStatement(
        None, None if mode is None else int(mode), None if init_q is None else bool(init_q)
    )


def _arch(path: Path, stated: Any, known: tuple[str, ...]) -> str:
    if not isinstance(stated, str) or stated.lower() not in known:
        raise CheckpointError(f"{path}: expected a network of arch {' or '.join(known)}, found {stated!r}")
    return stated.lower()


def _under_project_keys(raw: Mapping[str, Any]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for key, value in raw.items():
        name = _stripped(str(key))
        if name in tensors:
            raise CheckpointError(f"tensor {name} stands twice, once under a prefix")
        tensors[name] = plain_tensor(name, value)
    if not tensors:
        raise CheckpointError("the checkpoint holds no tensors")
    return tensors


def _stripped(key: str) -> str:
    while key.startswith(PREFIXES):
        key = key.partition(".")[2]
    return key


def _without_normalisation(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop the buffers ``sub`` and ``div`` after checking that they are the 0.5 that the graphs are built with."""
    for key in [key for key in tensors if key.rpartition(".")[2] in NORMALISATION]:
        buffer = tensors.pop(key)
        if not bool((buffer == 0.5).all()):
            raise CheckpointError(f"buffer {key}: expected 0.5 throughout, found {buffer.flatten().tolist()}")
    return tensors


def _description_beside(path: Path) -> NetworkSpec | PublishedSpec | None:
    beside = path.with_suffix(".json")
    return load_network(beside) if beside.is_file() else None


def _agreed(statement: DecoderStatement, decoder: DecoderSpec) -> DecoderStatement:
    for name in ("mode", "init_q"):
        found, expected = getattr(statement, name), getattr(decoder, name)
        if found is not None and found != expected:
            raise CheckpointError(f"the checkpoint states {name} {found}, its description {expected}")
    return DecoderStatement(statement.arch, decoder.mode, decoder.init_q, decoder.bilinear_base)


def _checked_against(inferred: NetworkSpec, stated: NetworkSpec) -> NetworkSpec:
    for part in ("encoder", "decoder"):
        found, expected = getattr(inferred, part), getattr(stated, part)
        if found != expected:
            raise CheckpointError(f"the tensors make {found}, the description states {expected}")
    return stated
