"""A network's description from the names and shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping

from edge_sr.errors import CheckpointError
from edge_sr.models.published.family import count
from edge_sr.spec import DecoderSpec, EncoderSpec, NetworkSpec

Shapes = Mapping[str, tuple[int, ...]]


def infer_spec(
    name: str, shapes: Shapes, mode: int | None, init_q: bool | None, bilinear_base: bool
) -> tuple[NetworkSpec, list[str]]:
    """The description, and notes on what the shapes leave open and was assumed.

    ``mode`` and ``init_q`` are what the file states, or None. Raises ``CheckpointError`` when a statement
    contradicts the shapes, or a tensor that the description hangs on is missing.
    """
    encoder = infer_encoder(shapes)
    widths = tuple(
        _outputs(shapes, f"decoder.K.{i}.0") for i in range(count(shapes, r"decoder\.[KQ]\.(\d+)\."))
    )
    if not widths:
        raise CheckpointError(
            "tensor decoder.K.0.0.weight is missing; expected DIINN's decoder.K and decoder.Q"
        )
    found_init_q = "decoder.first_layer.0.weight" in shapes
    if init_q is not None and init_q != found_init_q:
        raise CheckpointError(
            f"init_q is stated as {init_q}, but tensor decoder.first_layer.0.weight is "
            f"{'there' if found_init_q else 'missing'}"
        )
    possible = _possible_modes(shapes, widths, 9 * encoder.channels)
    if mode is not None and mode not in possible:
        raise CheckpointError(
            f"mode {mode} is stated, but the tensors' shapes fit mode {_either(possible)} only"
        )
    notes = []
    if mode is None:
        # The paper's final network is mode 3; mode 2 has the very same shapes.
        mode = 3 if 3 in possible else possible[0]
        if len(possible) > 1:
            notes.append(
                f"the shapes fit modes {_either(possible)}; taken as mode {mode}, the paper's final one"
            )
    return NetworkSpec(name, encoder, DecoderSpec(mode, found_init_q, widths, bilinear_base)), notes


def infer_encoder(shapes: Shapes) -> EncoderSpec:
    """The encoder that the names and shapes make; ``CheckpointError`` when they make none."""
    if _has(shapes, "encoder.SFENet1."):
        return EncoderSpec(
            "rdn",
            channels=_outputs(shapes, "encoder.SFENet1"),
            blocks=count(shapes, r"encoder\.RDBs\.(\d+)\."),
            layers=count(shapes, r"encoder\.RDBs\.\d+\.convs\.(\d+)\."),
            growth=_outputs(shapes, "encoder.RDBs.0.convs.0.conv.0"),
        )
    if _has(shapes, "encoder.head.0."):
        blocks = count(shapes, r"encoder\.body\.(\d+)\.body\.")
        return EncoderSpec("edsr", channels=_outputs(shapes, "encoder.head.0"), blocks=blocks)
    if _has(shapes, "encoder.head."):
        blocks = count(shapes, r"encoder\.body\.(\d+)\.")
        return EncoderSpec("residual", channels=_outputs(shapes, "encoder.head"), blocks=blocks)
    raise CheckpointError(
        "expected the encoder's encoder.SFENet1 (RDN), encoder.head.0 (EDSR) or encoder.head (small residual); "
        f"found {', '.join(sorted(shapes)[:3])} ..."
    )


def _possible_modes(shapes: Shapes, widths: tuple[int, ...], content: int) -> list[int]:
    last = shapes.get("decoder.last_layer.weight", ())
    if len(last) == 4 and last[2] == 3:
        return [4]
    if len(widths) == 1:
        return [1, 2, 3]
    inputs = _inputs(shapes, "decoder.K.1.0")
    choices = {widths[0]: [1], widths[0] + content: [2, 3]}
    if inputs not in choices:
        raise CheckpointError(
            f"tensor decoder.K.1.0.weight: expected {widths[0]} inputs (mode 1) or {widths[0] + content} "
            f"(modes 2 to 4), found {inputs}"
        )
    return choices[inputs]


def _either(modes: list[int]) -> str:
    return " or ".join(map(str, modes))


def _has(shapes: Shapes, prefix: str) -> bool:
    return any(key.startswith(prefix) for key in shapes)


def _outputs(shapes: Shapes, name: str) -> int:
    for key in (f"{name}.weight", f"{name}.bias"):
        if shapes.get(key):
            return shapes[key][0]
    raise CheckpointError(f"tensor {name}.weight is missing")


def _inputs(shapes: Shapes, name: str) -> int:
    shape = shapes.get(f"{name}.weight", ())
    if len(shape) < 2:
        raise CheckpointError(f"tensor {name}.weight is missing or has too few dimensions")
    return shape[1]
