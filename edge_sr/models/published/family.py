"""What a family of networks says of itself."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from edge_sr.errors import CheckpointError
from edge_sr.kinds import BundleKind

Tensors = Mapping[str, Tensor]
Recognised = tuple[Any, dict[str, Tensor]]


@dataclasses.dataclass(frozen=True)
class Family:
    """``kind``: ``refine``, ``fixed`` or ``implicit``; ``options``: the frozen dataclass that describes a network.

    ``build`` makes one with untrained weights. ``recognise`` returns the options and the tensors under the
    family's own keys for a checkpoint in one of the layouts that people have, None for another network's.
    ``channels``: 1 for a network of luma. ``assumed``: the options that a checkpoint's tensors do not tell and for
    which ``recognise`` puts what the layout's own software does; an option that it leaves 0 must be stated.
    """

    kind: BundleKind
    options: type[Any]
    build: Callable[[Any], nn.Module]
    recognise: Callable[[Tensors], Recognised | None]
    channels: int = 3
    assumed: Callable[[Tensors], frozenset[str]] = lambda tensors: frozenset()


def count(keys: Iterable[str], pattern: str) -> int:
    """One more than the largest number that ``pattern``'s group finds in the keys."""
    found = [int(match[1]) for key in keys if (match := re.match(pattern, key))]
    return max(found, default=-1) + 1


def shape(tensors: Tensors, key: str) -> tuple[int, ...]:
    """The shape of a tensor that a layout must have; ``CheckpointError`` when it is missing."""
    if key not in tensors:
        raise CheckpointError(f"tensor {key} is missing")
    return tuple(tensors[key].shape)
