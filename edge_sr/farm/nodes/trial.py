"""What a node can do, told by doing it: which backends it offers, and a picture and a short film made by it.

Nodes whose trials come out alike, bit for bit, and that compute with the same kernels and versions, may share a film.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.autotune import BY_NAME_ALONE, offers
from edge_sr.backends.measurement import computing_with
from edge_sr.bundle import open_bundle
from edge_sr.engines.interface.loader import Flavour, installed_version
from edge_sr.errors import EdgeSRError
from edge_sr.files.drafts import scratch_folder
from edge_sr.kinds import Precision, Scheme
from edge_sr.machine.description import available_cores
from edge_sr.machine.gpu import find_gpu
from edge_sr.sizes import Size
from edge_sr.tensors import reference_card
from edge_sr.upscale.run.networks import KeptNetwork, NetworkChoice
from edge_sr.upscaler import Upscaler
from edge_sr.video.encode.segment_encoder import EncodeSettings
from edge_sr.video.encode.segments import SegmentWriter
from edge_sr.video.encode.splicing import read_packets
from edge_sr.video.film.identity import input_identity
from edge_sr.video.timed import Timed

# Of the trial's picture, this much is looked at.
SHOWN: Size = (72, 40)
# Even, and large enough for every encoder.
CLIP_SIZE: Size = (320, 192)
CLIP_FRAMES = 6
# Open in this worker: its trial and the tasks that follow share it.
worker_network = KeptNetwork()


@dataclasses.dataclass(frozen=True)
class TrialCard:
    """The picture that nodes are tried with, of ``size``, brought to ``target``; ``deep``: in float32, not uint8."""

    size: Size = SHOWN
    target: Size = (180, 100)
    deep: bool = False

    def picture(self, network: Upscaler) -> NDArray[np.uint8]:
        """What ``network`` makes of its upper left part."""
        card: NDArray[Any] = reference_card(*self.size)
        if self.deep:
            card = card.astype(np.float32) / np.float32(255)
        width, height = (min(pair) for pair in zip(self.size, SHOWN, strict=True))
        found: NDArray[Any] = network(card, size=self.target, region=(0, 0, width, height))
        return np.round(found * 255).astype(np.uint8) if self.deep else found


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
    picture: NDArray[np.uint8] | None = None
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
        threads = choice.threads or available_cores()
        found = offers(bundle, choice.backend, choice.precision, threads, retune=choice.retune)
        codec = "" if recipe is None else codec_digest(recipe)
        return Offer(identity is not None and sees(name, identity), graphs_of(bundle), found, codec)
    except EdgeSRError as error:
        return Offer(refused=str(error))


def sees(name: str, identity: dict[str, Any]) -> bool:
    """Whether this node has the same input under that name."""
    with contextlib.suppress(OSError, EdgeSRError):
        return input_identity(name, identity.get("salt")) == identity
    return False


def make_trial(choice: NetworkChoice, card: TrialCard | None = None) -> NodeTrial:
    """A card by the network that was settled; it never raises an ``EdgeSRError``.

    Engines take only frames that they were built for, so theirs is ``card``, and without one they make none.
    """
    try:
        network = worker_network.opened(choice)
        fitting = card if choice.backend in BY_NAME_ALONE else TrialCard()
        picture = None if fitting is None else fitting.picture(network)
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
    to_yuv = recipe.frame_maker()
    card = reference_card(*CLIP_SIZE)
    if recipe.encoding.layout.has_alpha:
        card = np.dstack([card, card[..., 0]])
    with scratch_folder() as folder:
        made: list[str] = []
        writer = SegmentWriter(
            folder,
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
    if backend not in ("cuda", *BY_NAME_ALONE):
        return {}
    gpu = find_gpu()
    found = {"gpu": gpu.identity, "compute capability": gpu.compute_capability}
    if backend in BY_NAME_ALONE:
        found[backend] = installed_version(Flavour(backend)) or "absent"
    return found
