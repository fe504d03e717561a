"""PyTorch's own files, read with ``weights_only=True``: a checkpoint is foreign data, and nothing in it is ever run."""

from __future__ import annotations

import argparse
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from edge_sr.errors import CheckpointError, first_line

# What PyTorch writes: a ZIP archive, and before 1.6 a pickle of protocol 2 or newer.
ZIP, PICKLE = b"PK\x03\x04", b"\x80"


def read_pickled(path: Path) -> Any:
    """What ``torch.save`` wrote; ``CheckpointError`` for any other file, a torn one, and one with code in it."""
    _check_kind(path)
    try:
        # A Namespace is plain data; Lightning stores hyperparameters in one when a script passes its arguments on.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # PyTorch's own words explain how to load it all the same, and run what is in it.
        raise CheckpointError(
            f"{path} holds more than plain tensors and was not loaded: where a whole module was pickled, save its "
            "state_dict() with the software that made it"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # damaged files make PyTorch's reader raise nearly anything
        raise CheckpointError(f"{path} is not a readable PyTorch checkpoint: {first_line(error)}") from error


def _check_kind(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(len(ZIP))
    if not head.startswith((ZIP, PICKLE)):
        raise CheckpointError(
            f"{path} is not a PyTorch checkpoint, a .safetensors file, a model spec (.toml) or an ONNX file (.onnx)"
        )
    if head == ZIP and not zipfile.is_zipfile(path):
        raise CheckpointError(f"{path} is cut off: a PyTorch checkpoint without its end; copy it again")
