"""What a node can do, told by doing it: which backends it offers, and a picture and a short film made by it.

Nodes whose trials come out alike, bit for bit, and that compute with the same kernels and versions, may share a film.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.autotune import offers
from edge_sr.backends.measurement import computing_with
from edge_sr.bundle import open_bundle
from edge_sr.errors import EdgeSRError
from edge_sr.farm.films.network import NetworkChoice, opened
from edge_sr.kinds import Precision, Scheme
from edge_sr.machine.gpu import find_gpu
from edge_sr.sizes import Size
from edge_sr.tensors import reference_card
from edge_sr.video.encode.segment_encoder import EncodeSettings
from edge_sr.video.encode.segments import SegmentWriter
from edge_sr.video.encode.splicing import read_packets
from edge_sr.video.film.identity import input_identity
from edge_sr.video.pixels import FromRgb
from edge_sr.video.timed import Timed

CARD: Size = (72, 40)
# Even, and large enough for every encoder.
CLIP_SIZE: Size = (320, 192)
CLIP_FRAMES = 6


@dataclasses.dataclass(frozen=True)
class Offer:
    """The graphs of a node's bundle, and the milliseconds of a small frame by ``BACKEND PRECISION``.

    ``refused``: why it has none. ``codec``: a digest of what its encoder makes of a short film; ``sees_input``:
    whether it has the same input under the same name.
    """

    sees_input: bool = False
    graphs: tuple[str, ...] = ()
    milliseconds: dict[str, float] = dataclasses.field(default_factory=dict)
    codec: str = ""
    refused: str = ""


@dataclasses.dataclass(frozen=True)
class NodeTrial:
    """What a node computes with, and the picture that it makes of the reference card; ``refused``: why it cannot."""

    backend: str = ""
    encoder_backend: str = ""
    precision: Precision = "fp32"
    scheme: Scheme | None = None
    computing: dict[str, str] = dataclasses.field(default_factory=dict)
    picture: NDArray[Any] | None = None
    refused: str = ""

    @property
    def kind(self) -> tuple[Any, ...]:
        """Equal for nodes that compute alike."""
        digest = "" if self.picture is None else hashlib.sha256(self.picture.tobytes()).hexdigest()
        return (*self.sort, tuple(sorted(self.computing.items())), digest)

    @property
    def sort(self) -> tuple[Any, ...]:
        """The backend and precision, which must be one."""
        return self.backend, self.encoder_backend, self.precision, self.scheme


def make_offer(
    choice: NetworkChoice,
    recipe: EncodeSettings | None,
    name: str = "",
    identity: dict[str, Any] | None = None,
) -> Offer:
    """What this node has for the choice; it never raises an ``EdgeSRError``. ``name`` and ``identity``: the input's."""
    try:
        bundle = open_bundle(choice.model)
        found = offers(bundle, choice.backend, choice.precision, choice.threads, retune=choice.retune)
        codec = "" if recipe is None else codec_digest(recipe)
        return Offer(identity is not None and sees(name, identity), graphs_of(bundle), found, codec)
    except EdgeSRError as error:
        return Offer(refused=str(error))


def sees(name: str, identity: dict[str, Any]) -> bool:
    """Whether this node has the same input under that name."""
    with contextlib.suppress(OSError, EdgeSRError):
        return input_identity(name, identity.get("salt")) == identity
    return False


def make_trial(choice: NetworkChoice) -> NodeTrial:
    """The reference card by the network that was settled; it never raises an ``EdgeSRError``."""
    try:
        network = opened(choice)
        picture = network(reference_card(*CARD), scale=2.5)
        return NodeTrial(
            network.backend,
            network.encoder_backend,
            network.precision,
            network.scheme,
            {**computing_with(), **_gpu(network.backend)},
            picture,
        )
    except EdgeSRError as error:
        return NodeTrial(refused=str(error))


def graphs_of(bundle: Any) -> tuple[str, ...]:
    """The hashes of all the bundle's graphs."""
    return tuple(sorted(graph.sha256 for graph in bundle.description.graphs))


def codec_digest(recipe: EncodeSettings) -> str:
    """Of the packets that this machine's encoder makes of a few frames, told the same as for the film."""
    small = dataclasses.replace(recipe, encoding=dataclasses.replace(recipe.encoding, size=CLIP_SIZE))
    to_yuv = FromRgb(recipe.colour, recipe.encoding.layout, recipe.encoding.pixel_format)
    card = reference_card(*CLIP_SIZE)
    with tempfile.TemporaryDirectory(prefix="edge-sr-") as folder:
        made: list[str] = []
        writer = SegmentWriter(
            Path(folder),
            small,
            CLIP_FRAMES,
            finished=lambda segment, _: made.extend(
                hashlib.sha256(bytes(packet)).hexdigest()
                for packet in read_packets(segment, recipe.time_base)
            ),
        )
        for index in range(CLIP_FRAMES):
            frame = np.ascontiguousarray(np.roll(card, 3 * index, axis=1))
            writer.write(Timed(index, index, 1, to_yuv(frame)))
        writer.finish()
    return hashlib.sha256("".join(made).encode()).hexdigest()[:16]


def _gpu(backend: str) -> dict[str, str]:
    if backend not in ("cuda", "tensorrt", "tensorrt-rtx"):
        return {}
    gpu = find_gpu()
    return {"gpu": gpu.identity, "compute capability": gpu.compute_capability}
