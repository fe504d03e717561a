"""The other networks of the field: one family a paper, described alike, so that nothing asks for one by name.

A family's network is built from its options. Kinds ``refine`` and ``fixed`` are modules from pictures to
pictures: ``n x 3 x h x w`` in [0, 1] (or luma, ``n x 1 x h x w``, where ``channels`` is 1) to the same times
``scale``, unclamped.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from edge_sr.errors import ConfigError
from edge_sr.files.config import from_mapping, to_mapping
from edge_sr.models.implicit import liif, metasr
from edge_sr.models.luma import LumaNetwork
from edge_sr.models.published import dbpn, drcn, edsr, espcn, fsrcnn, rdn, srcnn, vdsr
from edge_sr.models.published.family import Family
from edge_sr.spec import PublishedSpec

FAMILIES: dict[str, Family] = {
    "srcnn": srcnn.FAMILY,
    "vdsr": vdsr.FAMILY,
    "drcn": drcn.FAMILY,
    "fsrcnn": fsrcnn.FAMILY,
    "espcn": espcn.FAMILY,
    "edsr": edsr.FAMILY,
    "rdn": rdn.FAMILY,
    "dbpn": dbpn.FAMILY,
    "metasr": metasr.FAMILY,
    "liif": liif.FAMILY,
}


def family_of(spec: PublishedSpec) -> Family:
    """The family that ``spec`` names; ``ConfigError`` when there is none."""
    if spec.network not in FAMILIES:
        raise ConfigError(f"network must be diinn or one of {', '.join(FAMILIES)}, found {spec.network!r}")
    return FAMILIES[spec.network]


def build_network(spec: PublishedSpec) -> nn.Module:
    """The network under its own keys, with untrained weights; ``ConfigError`` for options that do not fit."""
    family = family_of(spec)
    options = from_mapping(family.options, spec.options, f"{spec.name}: options")
    return family.build(options)


def picture_network(spec: PublishedSpec, network: nn.Module) -> nn.Module:
    """``network`` from RGB to RGB, whatever channels it works on."""
    family = family_of(spec)
    return LumaNetwork(network, scale_of(spec)) if family.channels == 1 else network


def scale_of(spec: PublishedSpec) -> int:
    """The whole scale of a ``fixed`` network; 1 for the other kinds."""
    return int(spec.options.get("scale", 1)) if family_of(spec).kind == "fixed" else 1


def recognise(name: str, tensors: Mapping[str, Tensor]) -> tuple[PublishedSpec, dict[str, Tensor]] | None:
    """The first family whose layout these tensors have, and the tensors under its keys; None for no family."""
    for network, family in FAMILIES.items():
        found = family.recognise(tensors)
        if found is not None:
            options, renamed = found
            return PublishedSpec(name, network, to_mapping(options)), renamed
    return None
