"""Training with the rounding of INT8, as the scale table of a calibrated bundle says.

Rounding is that of TensorRT's placement, the coarser of the two: what learns to bear it bears the other. Ranges
and factors stay as they are; only weights move.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from edge_sr.bundle import Bundle, Source, file_sha256
from edge_sr.calibration.graph.layers import GraphMap
from edge_sr.calibration.graph.write import TABLE
from edge_sr.calibration.ranges.equalise import groups
from edge_sr.calibration.ranges.levels import QDQ_SCHEMES, Scale
from edge_sr.calibration.table import ScaleTable, graph_hashes, read_table, table_text
from edge_sr.errors import BundleError, ConfigError
from edge_sr.export.bundle import Identity
from edge_sr.export.checkpoint import export_checkpoint
from edge_sr.files.atomic import write_whole
from edge_sr.files.drafts import scratch_folder
from edge_sr.models.checkpoint import load_checkpoint
from edge_sr.models.implicit.diinn import Diinn
from edge_sr.training.outputs import table_path
from edge_sr.training.quantisation.rounding import RoundedConvolution, Rounding
from edge_sr.training.tasks.sampled import content_moves

SCHEME = "int8"
CONTENT, CHAINED = "content.", "chained."


class RoundedTraining:
    """The scale table of a bundle, put into the network that it was made from."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises ``BundleError`` for a bundle without INT8 or whose table is of other weights."""
        if SCHEME not in bundle.precisions:
            raise BundleError(f"{bundle.path} is not calibrated: edge-sr calibrate makes what --qat needs")
        self._bundle = bundle
        self._table = read_table(bundle.path / TABLE)
        self._table.check_belongs_to(bundle)
        self.sha256 = file_sha256(bundle.path / TABLE)

    def check_start(self, start: Path | None) -> None:
        """``ConfigError`` unless training begins at the very weights that the bundle was exported from."""
        source = self._bundle.description.source
        if start is None or file_sha256(start) != source.sha256:
            raise ConfigError(
                f"--qat goes on from the weights of {self._bundle.name}: expected training.start to name "
                f"{source.file} with SHA-256 {source.sha256[:12]}, found {start}"
            )

    def put_into(self, network: Diinn) -> None:
        """Replace the layers that INT8 rounds; ``ConfigError`` for one that training does not compute."""
        graph = GraphMap(onnx.load(self._bundle.graph("encoder", "fp32")))
        enlarged = _enlarged(graph, self._table)
        for name in self._table.placements[SCHEME].layers:
            if name not in graph.layers:
                raise ConfigError(f"--qat rounds layers of the encoder alone, and the table has {name}")
            layer = graph.layers[name]
            scale = Scale.of(self._table.ranges[graph.points[layer.source]], QDQ_SCHEMES[SCHEME])
            read = enlarged(layer.source, layer.values.shape[1])
            made = enlarged(layer.result, len(layer.values))
            plain = {path: _convolution(network, path) for path in _modules(network, name)}
            # One layer of the graph holds the content terms of several modulation layers, one behind the other.
            shares = torch.split(made, [one.out_channels for one in plain.values()])
            for (path, one), share in zip(plain.items(), shares, strict=True):
                parent, _, own = path.rpartition(".")
                rounded = RoundedConvolution(one, Rounding(scale, (read, share)))
                setattr(network.get_submodule(parent), own, rounded)

    def write_table(self, checkpoint: Path) -> Path:
        """``NAME.scales.json`` beside the checkpoint: the same ranges, for the new weights' graphs.

        Which layers to quantise is left to ``calibrate``, which measures their loss anew.
        """
        loaded = load_checkpoint(checkpoint)
        identity = Identity(checkpoint.stem, "1", Source(checkpoint.name, loaded.sha256))
        with scratch_folder() as folder:
            hashes = graph_hashes(export_checkpoint(loaded, identity, folder / "bundle", ["fp32"]))
        fresh = dataclasses.replace(
            self._table, encoder_sha256=hashes[0], decoder_sha256=hashes[1], weights={}, placements={}
        )
        path = table_path(checkpoint)
        write_whole(path, table_text(fresh).encode())
        return path


def _enlarged(graph: GraphMap, table: ScaleTable) -> Callable[[str, int], Tensor]:
    """Factors of a tensor's channels; ones where equalisation left it alone."""
    found: dict[str, tuple[float, ...]] = {}
    for tensors in groups(graph):
        factors = table.factors.get(graph.points[tensors[0]])
        if factors is not None:
            found.update(dict.fromkeys(tensors, factors))
    return lambda tensor, channels: torch.tensor(found.get(tensor, (1.0,) * channels))


def _modules(network: Diinn, layer: str) -> list[str]:
    """Paths of what computes a layer of the encoder graph: itself, or modulation layers for content terms."""
    if layer.startswith(CHAINED):
        raise ConfigError(
            "--qat is for decoders of mode 3, or of one layer: in modes 1 and 2 training computes the further layers "
            f"of modulation at the output, where INT8 does not round them, and the table has {layer}"
        )
    if not layer.startswith(CONTENT):
        return [layer]
    index = int(layer.removeprefix(CONTENT))
    last = len(network.decoder.K) if network.spec.decoder.mode >= 3 and index == 1 else index + 1
    if not content_moves(network.spec.decoder):
        raise ConfigError(
            "--qat is for decoders whose content terms move to LR: mode 3, or of one layer, no init_q"
        )
    return [f"decoder.K.{i}.0" for i in range(index, last)]


def _convolution(network: Diinn, path: str) -> nn.Conv2d:
    plain = network.get_submodule(path)
    if not isinstance(plain, nn.Conv2d):
        raise ConfigError(f"--qat knows no layer {path} in this network")
    return plain
