"""Bundles: folders of graphs that ``bundle.json`` describes, portable and free of any device.

NAME/bundle.json                what it is, where its weights came from, every file with its SHA-256
NAME/encoder.fp32.onnx          uint8 pair: ``image`` to ``maps`` ...
NAME/decoder.fp32.onnx          ... ``maps`` to ``frame``
NAME/encoder.fp32.float.onnx    the float pair, for video deeper than 8 bits
NAME/decoder-sampled.fp32.onnx  the decoder without its gathers, for runners that sample the maps themselves
NAME/decoder.npz                the decoder's float32 weights, for decoders that are no graph
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import BundleError, ConfigError, OutputExistsError, OutputFolderError, UnknownNameError
from edge_sr.graph_file import declared
from edge_sr.kinds import BundleKind, Precision, Role, SampleType, Scheme, StoredPrecision
from edge_sr.spec import NetworkSpec, PublishedSpec, load_json, to_mapping

SCHEMA = 1
DESCRIPTION = "bundle.json"
DEFAULT_MODEL = "diinn-edge"
LARGEST_WEIGHTS = 1 << 28
# What numbers of a description can mean anything.
BOUNDS = {
    "parameters": (0, 1 << 40),
    "radius": (0, 1 << 16),
    "working_bytes": (1, 1 << 32),
    "scale": (1, 64),
    "halo": (0, 16),
    "multiple": (1, 1 << 12),
}


@dataclasses.dataclass(frozen=True)
class Port:
    """One input or output of a graph; a dynamic axis is given by its name."""

    name: str
    dtype: str
    shape: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Graph:
    """One graph file. ``io``: the sample type of its pictures; ``psnr_db`` and ``levels`` compare with FP32."""

    file: str
    role: Role
    precision: StoredPrecision
    io: SampleType
    sha256: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    psnr_db: float | None = None
    levels: int | None = None


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the weights came from: file name and SHA-256 of the checkpoint."""

    file: str
    sha256: str
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Weights:
    """The decoder's weights as plain arrays, ``decoder.npz``."""

    file: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class Description:
    """The content of ``bundle.json``.

    ``kind``: ``implicit`` (encoder and decoder graphs, any scale), ``fixed`` (one ``network`` graph, times
    ``scale``) or ``refine`` (one ``network`` graph over a picture that was enlarged first). ``radius``: LR pixels
    around an output's nearest LR pixel that can change it, computed from the graph; ``halo``: output pixels that
    a decoder eats on each side; ``working_bytes``: live activations for one pixel of the first graph's input, an
    upper estimate; ``whole_frames``: its field has no bound, so frames are not cut; ``multiple``:
    sides that the graph takes are multiples of it, others are padded at the right and the bottom by mirrored edges
    and the result is cropped. ``macs``: multiply-adds for
    each pixel of the input and for each of the output, where ``network`` does not tell them. ``parity``: the
    figures that the export measured. ``extra``: what later stages add (scale tables, recipes).
    """

    schema: int
    kind: BundleKind
    name: str
    version: str
    network: NetworkSpec | PublishedSpec
    parameters: int
    radius: int
    working_bytes: int
    source: Source
    graphs: tuple[Graph, ...]
    scale: int = 1
    halo: int = 0
    whole_frames: bool = False
    multiple: int = 1
    macs: tuple[int, ...] = ()
    weights: Weights | None = None
    default_for: tuple[str, ...] = ()
    parity: dict[str, Any] = dataclasses.field(default_factory=dict)
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise ConfigError(
                f"schema {self.schema} is not the {SCHEMA} that this version reads; export it again"
            )
        for name, (least, most) in BOUNDS.items():
            if not least <= getattr(self, name) <= most:
                raise ConfigError(f"{name} must lie between {least} and {most}, found {getattr(self, name)}")
        if any(count < 0 for count in self.macs):
            raise ConfigError(f"macs must not be negative, found {list(self.macs)}")
        if not self.graphs:
            raise ConfigError("graphs must list at least one, found none")


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle on disk. Reading a file checks its hash first."""

    path: Path
    description: Description

    @property
    def name(self) -> str:
        return self.description.name

    @property
    def kind(self) -> BundleKind:
        return self.description.kind

    @property
    def given_as(self) -> str:
        """What names it on a command line: a shipped model's name, else its folder."""
        return self.name if self.path.parent == shipped_folder() else str(self.path)

    @property
    def network(self) -> NetworkSpec:
        """DIINN's description; ``BundleError`` where the bundle holds another network."""
        if isinstance(self.description.network, PublishedSpec):
            raise BundleError(f"bundle {self.name} holds {self.description.network.network}, expected DIINN")
        return self.description.network

    @property
    def stored(self) -> tuple[StoredPrecision, ...]:
        """How its first graph is there, in the order of the file."""
        graphs = self.description.graphs
        return tuple(dict.fromkeys(graph.precision for graph in graphs if graph.role == graphs[0].role))

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """The precisions that it carries, in the order of the file; INT8 once, whatever its schemes."""
        return tuple(dict.fromkeys("int8" if name == "int8-cpu" else name for name in self.stored))

    @property
    def schemes(self) -> tuple[Scheme, ...]:
        """The Q/DQ schemes of its INT8 graphs."""
        return tuple(name for name in self.stored if name in ("int8", "int8-cpu"))

    def find(self, role: Role, precision: str, io: SampleType = "uint8") -> Graph | None:
        """The graph of that role, or None."""
        for graph in self.description.graphs:
            if (graph.role, graph.precision, graph.io) == (role, precision, io):
                return graph
        return None

    def graph(self, role: Role, precision: str, io: SampleType = "uint8") -> Path:
        """The file of that graph, its hash checked; ``BundleError`` when it is absent or damaged."""
        graph = self.find(role, precision, io)
        if graph is None:
            raise BundleError(
                f"bundle {self.name} has no {io} {role} in {precision}; it has {', '.join(self.precisions)}"
            )
        path = self._checked(graph.file, graph.sha256)
        _check_graph(path, graph)
        return path

    def decoder_weights(self) -> Path | None:
        """``decoder.npz``, its hash checked, or None where the bundle has none."""
        weights = self.description.weights
        return None if weights is None else self._checked(weights.file, weights.sha256)

    def decoder_arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays of ``decoder.npz``; ``BundleError`` where there is none, or one that cannot be read."""
        path = self.decoder_weights()
        if path is None:
            raise BundleError(f"bundle {self.name} has no decoder.npz; use --backend onnxruntime")
        try:
            with zipfile.ZipFile(path) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
            if size > LARGEST_WEIGHTS:
                raise BundleError(f"{path} would unpack to {size >> 20} MB, more than a decoder has")
            with np.load(path, allow_pickle=False) as arrays:
                return dict(arrays)
        except (
            OSError,
            ValueError,
            zipfile.BadZipFile,
            zlib.error,
            NotImplementedError,
            EOFError,
            KeyError,
        ) as error:
            raise BundleError(f"{path} is damaged: {error}; export or copy the bundle again") from error

    def verify(self) -> None:
        """Check every file's hash; ``BundleError`` names the first that differs."""
        for graph in self.description.graphs:
            self._checked(graph.file, graph.sha256)
        self.decoder_weights()

    def _checked(self, file: str, sha256: str) -> Path:
        path = self.path / file
        if Path(file).name != file or not path.is_file():
            raise BundleError(f"bundle {self.path}: {file} is missing; export or copy it again")
        found = file_sha256(path)
        if found != sha256:
            raise BundleError(
                f"bundle {self.path}: {file} is damaged (SHA-256 {found[:12]}, not {sha256[:12]})"
            )
        return path


def _check_graph(path: Path, graph: Graph) -> None:
    """``BundleError`` for a file that is another graph than described, or one whose work has no bound."""
    try:
        found = declared(path)
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} is not a readable ONNX file: {error}") from error
    if found.nested:
        raise BundleError(f"{path}: {found.nested[0]} runs a graph of its own, which is not taken")
    for what, ports, there in (
        ("inputs", graph.inputs, found.inputs),
        ("outputs", graph.outputs, found.outputs),
    ):
        described = {port.name: port.dtype for port in ports}
        if described != there:
            raise BundleError(
                f"{path} has the {what} {_listed(there)}, expected {_listed(described)}: export it again"
            )


def _listed(ports: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in ports.items()) or "none"


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def shipped_folder() -> Path:
    """Where the installed package keeps its bundles."""
    return Path(str(resources.files("edge_sr"))) / "bundles"


def shipped_bundles() -> list[Bundle]:
    """The bundles that come with the package, the default first."""
    folders = sorted(path.parent for path in shipped_folder().glob(f"*/{DESCRIPTION}"))
    bundles = [read_bundle(folder) for folder in folders]
    return sorted(bundles, key=lambda bundle: (bundle.name != DEFAULT_MODEL, bundle.name))


def open_bundle(name: str | Path) -> Bundle:
    """A shipped model by its name, or the bundle in a folder.

    Raises ``UnknownNameError`` when it is neither, ``BundleError`` when the folder holds no sound bundle.
    """
    shipped = shipped_folder() / str(name)
    if Path(str(name)).name == str(name) and (shipped / DESCRIPTION).is_file():
        return read_bundle(shipped)
    folder = Path(name)
    if folder.exists():
        return read_bundle(folder)
    known = [bundle.name for bundle in shipped_bundles()]
    raise UnknownNameError.among("model", str(name), known, ", or a bundle's folder; see: edge-sr models")


def read_bundle(folder: Path) -> Bundle:
    """The bundle in ``folder``; ``BundleError`` when ``bundle.json`` is missing or unsound."""
    if not (folder / DESCRIPTION).is_file():
        raise BundleError(f"{folder} is no bundle: it holds no {DESCRIPTION}; make one with: edge-sr export")
    try:
        return Bundle(folder, load_json(folder / DESCRIPTION, Description))
    except ConfigError as error:
        raise BundleError(str(error)) from error


def write_description(folder: Path, description: Description) -> None:
    """Write ``bundle.json`` into a folder that is still being made."""
    table = _pruned(to_mapping(description))
    (folder / DESCRIPTION).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def _pruned(table: Any) -> Any:
    if isinstance(table, Mapping):
        return {key: _pruned(value) for key, value in table.items() if value not in (None, {}, ())}
    if isinstance(table, (list, tuple)):
        return [_pruned(item) for item in table]
    return table


def check_new_folder(target: Path, *, overwrite: bool = False) -> Path:
    """Raise what ``new_folder`` would, before any work is done; the folder that ``target`` goes into."""
    if target.exists() and not overwrite:
        raise OutputExistsError(f"{target} exists; name another folder or remove it first")
    parent = target.absolute().parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise OutputFolderError(f"{parent} is not a folder one can write to")
    return parent


@contextlib.contextmanager
def new_folder(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder beside ``target`` that becomes ``target`` when the block ends, and vanishes if it fails.

    Raises ``OutputExistsError`` when ``target`` is there, ``OutputFolderError`` when its parent is not writable.
    """
    parent = check_new_folder(target, overwrite=overwrite)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=parent))
    draft.chmod(0o755)
    try:
        yield draft
        if target.exists():
            shutil.rmtree(target)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
