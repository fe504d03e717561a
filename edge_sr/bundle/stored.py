"""A bundle on disk: its files are checked against their hashes, and graphs against their description, before use."""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.bundle.description import Description, Graph
from edge_sr.bundle.graph_file import declared
from edge_sr.errors import BundleError
from edge_sr.kinds import BundleKind, Precision, Role, SampleType, Scheme, StoredPrecision
from edge_sr.spec import NetworkSpec, PublishedSpec

LARGEST_WEIGHTS = 1 << 28


def shipped_folder() -> Path:
    """Where the installed package keeps its bundles."""
    return Path(str(resources.files("edge_sr"))) / "bundles"


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
            with np.load(path, allow_pickle=False) as stored:
                arrays = dict(stored)
            others = [name for name, array in arrays.items() if array.dtype.kind != "f"]
            if others:
                raise ValueError(f"{others[0]} holds no fractions")
            return arrays
        except BundleError:
            raise
        except Exception as error:
            # Damaged files make the readers of ZIP and of arrays raise nearly anything.
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
