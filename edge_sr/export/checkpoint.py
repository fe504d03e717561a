"""Any checkpoint as a bundle: each kind of network by its own road."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edge_sr.bundle import Bundle
from edge_sr.export.bundle import FORMS, Identity, export_bundle
from edge_sr.export.single_graph import export_picture_network
from edge_sr.models.checkpoint import Checkpoint
from edge_sr.spec import PublishedSpec


def export_checkpoint(
    loaded: Checkpoint,
    identity: Identity,
    out: Path,
    precisions: Sequence[str] = ("fp32", "fp16"),
    progress: Callable[[str], None] = lambda message: None,
) -> Bundle:
    """Write the bundle of ``loaded`` into the new folder ``out``; raises what ``export_bundle`` raises."""
    network = loaded.network()
    if type(network) in FORMS:
        return export_bundle(network, identity, out, precisions, progress)
    assert isinstance(loaded.spec, PublishedSpec)
    return export_picture_network(loaded.spec, network, identity, out, precisions, progress)
