"""Damaged and hostile bundles, graphs, weights, checkpoints, TOML files, engines and caches: refused in a line."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import random
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from campaign import Case, Outcome, command_line
from mutations import mutated, mutated_tree, nested
from PIL import Image
from processes import Limits, run

ROOT = Path(__file__).parents[2]
# A checkpoint may be sound after all, and is then exported.
LIMITS = Limits(cpu_seconds=150)
VALUES = (
    "-1", "0", "1e400", "nan", "inf", '""', "true", "[]", "{}", "[[[[[[1]]]]]]", "9" * 5000, '"../../etc/passwd"',
    "0.0000001", "1e9", "[1, 2, 3]", '"\\u0000"', "1979-05-27T07:32:00Z", "{a = {a = {a = 1}}}", "[" * 3000,
)  # fmt: skip
FLEET = '[[group]]\nbundles = ["diinn-nano"]\ntargets = ["rtx-40"]\nprecisions = ["fp16"]\ndepth = 8\n'
Words = list[object]
READERS = (
    "torch",
    "onnx",
    "edge_sr.export.checkpoint",
    "edge_sr.calibration.calibrate",
    "edge_sr.training.run",
)


def setup(seeds: Path) -> None:
    shutil.copytree(ROOT / "edge_sr" / "bundles" / "diinn-nano", seeds / "bundle")
    shutil.copy(ROOT / "export" / "models" / "diinn-nano.toml", seeds / "model.toml")
    shutil.copy(ROOT / "calibration" / "recipes" / "diinn-nano.toml", seeds / "recipe.toml")
    (seeds / "fleet.toml").write_text(FLEET)
    y, x = np.mgrid[0:24, 0:32]
    Image.fromarray(np.stack([x * 7, y * 9, x + y], -1).astype(np.uint8)).save(seeds / "picture.png")
    weights = ROOT / "export" / "weights" / "diinn-nano.safetensors"
    if weights.exists():
        shutil.copy(weights, seeds / "weights.safetensors")
        shutil.copy(weights.with_suffix(".json"), seeds / "weights.json")


def work(case: Case) -> Outcome:
    kinds = [kind for kind, needs in KINDS if all((case.seeds / name).exists() for name in needs)]
    kind = case.dice.choice(kinds)
    words = kind(case)
    case.sandbox.seal()
    ended = run(words, folder=case.sandbox.here, environment=case.sandbox.environment, limits=LIMITS)
    faults = case.sandbox.faults(ended, LIMITS)
    if ended.code != 0 and any(case.sandbox.out.glob("result*")):
        faults.append(f"exit {ended.code} left something under the final name")
    told = [f"{words}", ended.err[-300:]] if faults else []
    return Outcome(f"{kind.__name__.strip('_')} exit {ended.code}", (*faults, *told))


def _upscale(case: Case, bundle: Path, backend: str | None = None) -> Words:
    picture = shutil.copy(case.seeds / "picture.png", case.sandbox.given)
    backend = backend or case.dice.choice(("native", "onnxruntime"))
    words: Words = [
        "upscale",
        picture,
        "-o",
        case.sandbox.out / "result.png",
        "--scale",
        "1.5",
        "--model",
        bundle,
    ]
    return [*words, "--backend", backend, "--precision", "fp32", "--threads", "1"]


def _bundle(case: Case) -> Path:
    return Path(shutil.copytree(case.seeds / "bundle", case.sandbox.given / "bundle"))


def _description(case: Case) -> Words:
    """``bundle.json``, its text or its values."""
    bundle = _bundle(case)
    file = bundle / "bundle.json"
    if case.dice.random() < 0.3:
        file.write_bytes(mutated(file.read_bytes(), case.dice))
    elif case.dice.random() < 0.1:
        file.write_text(
            case.dice.choice(("[" * 100_000, '{"a":' * 50_000, json.dumps(nested(case.dice)), "9" * 9_999))
        )
    else:
        value = json.loads(file.read_bytes())
        for _ in range(case.dice.choice((1, 1, 3))):
            value = mutated_tree(value, case.dice)
        file.write_text(json.dumps(value))
    return _upscale(case, bundle)


def _graph(case: Case) -> Words:
    """A graph's bytes, or another graph in its place; most with a checksum that fits."""
    bundle, dice = _bundle(case), case.dice
    backend = dice.choice(("native", "onnxruntime"))
    file = bundle / ("encoder.fp32.onnx" if backend == "native" else dice.choice(_ONNXRUNTIME_READS))
    if dice.random() < 0.15:
        file.write_bytes(dice.choice(sorted(bundle.glob("*.onnx"))).read_bytes())
    else:
        file.write_bytes(mutated(file.read_bytes(), dice))
    if dice.random() < 0.9:
        _seal(bundle, file)
    return _upscale(case, bundle, backend)


_ONNXRUNTIME_READS = ("encoder.fp32.onnx", "decoder-sampled.fp32.onnx")


def _seal(bundle: Path, file: Path) -> None:
    description = json.loads((bundle / "bundle.json").read_bytes())
    for graph in description["graphs"]:
        if graph["file"] == file.name:
            graph["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (bundle / "bundle.json").write_text(json.dumps(description))


def _decoder_weights(case: Case) -> Words:
    """``decoder.npz``: its bytes, its arrays, or a pickle and a bomb in their place."""
    bundle, dice = _bundle(case), case.dice
    file = bundle / "decoder.npz"
    with np.load(file) as stored:
        arrays = dict(stored)
    name = dice.choice(sorted(arrays))
    turn = dice.randrange(6)
    if turn == 0:
        file.write_bytes(mutated(file.read_bytes(), dice))
    elif turn == 1:
        np.savez(file, **{**arrays, name: arrays[name].reshape(-1)[:: dice.choice((1, 2))]})
    elif turn == 2:
        arrays[name].reshape(-1)[0] = dice.choice((np.nan, np.inf, 1e38, -1e38))
        np.savez(file, **arrays)
    elif turn == 3:
        np.savez(file, **{**arrays, name: np.array([_payload(case)], dtype=object)})
    elif turn == 4:
        np.savez(
            file, **{**arrays, name: arrays[name].astype(dice.choice(("float64", "int8", "complex64", "U4")))}
        )
    else:
        _claim(file, name, dice)
    return _upscale(case, bundle, "native")


def _claim(file: Path, name: str, dice: random.Random) -> None:
    """An array whose header claims far more than there is."""
    shape = dice.choice(
        ("(1099511627776,)", "(-1, 4)", "(65536, 65536)", "(0,)", "(3, 99999999999999999999)")
    )
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    body = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + bytes(64)
    with zipfile.ZipFile(file) as stored:
        parts = {each: stored.read(each) for each in stored.namelist()}
    parts[f"{name}.npy"] = body
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as stored:
        for each, content in parts.items():
            stored.writestr(each, content)


class _Payload:
    """What a pickle would run if anybody let it."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.write_text, (self._target, "run")


def _payload(case: Case) -> _Payload:
    return _Payload(case.sandbox.folder / "precious" / "file")


def _checkpoint(case: Case) -> Words:
    """What ``export`` reads: safetensors whose head or bytes are damaged, or a pickle by that name."""
    dice, given = case.dice, case.sandbox.given
    file = given / dice.choice(("weights.safetensors", "weights.safetensors", "weights.pt"))
    data = (case.seeds / "weights.safetensors").read_bytes()
    head = int.from_bytes(data[:8], "little")
    if dice.random() < 0.3:
        data = data[:8] + mutated(data[8 : 8 + head], dice)[:head].ljust(head) + data[8 + head :]
    elif dice.random() < 0.2:
        data = pickle.dumps({"state_dict": _payload(case)})
    elif dice.random() < 0.2:
        data = _archive({"archive/data.pkl": pickle.dumps(_payload(case)), "archive/version": b"3"})
    else:
        data = mutated(data, dice)
    file.write_bytes(data)
    description = json.loads((case.seeds / "weights.json").read_bytes())
    changed = mutated_tree(description, dice) if dice.random() < 0.3 else description
    file.with_suffix(".json").write_text(json.dumps(changed))
    return ["export", file, "-o", case.sandbox.out / "result", "--precision", "fp32"]


def _archive(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as stored:
        for name, content in parts.items():
            stored.writestr(name, content)
    return buffer.getvalue()


def _toml(case: Case) -> Words:
    """A model spec, a recipe or a fleet with a line that means something else, or nothing."""
    name = case.dice.choice(("model.toml", "recipe.toml", "fleet.toml"))
    file = case.sandbox.given / name
    lines = (case.seeds / name).read_text().splitlines()
    for _ in range(case.dice.choice((1, 1, 3))):
        place = case.dice.randrange(len(lines))
        value = case.dice.choice(VALUES)
        lines[place] = re.sub(r"=.*", lambda _: f"= {value}", lines[place], count=1)  # noqa: B023
        if case.dice.random() < 0.2:
            lines[place] = case.dice.choice(
                (lines[place] * 2, "[" * 5000, "a.b.c.d = 1", "= 1", lines[place] + " x")
            )
    text = "\n".join(lines).encode()
    file.write_bytes(mutated(text, case.dice) if case.dice.random() < 0.2 else text)
    out = case.sandbox.out / "result"
    if name == "model.toml":
        return ["train", file, "--images", case.sandbox.given / "none", "-o", out, "--steps", "1"]
    if name == "recipe.toml":
        return [
            "calibrate",
            "diinn-nano",
            "--frames",
            case.sandbox.given / "none",
            "--recipe",
            file,
            "-o",
            out,
        ]
    case.sandbox.environment["EDGE_SR_CACHE"] = str(case.sandbox.out / "cache")
    return ["build", "--fleet", file]


def _engines(case: Case) -> Words:
    """The engine store with damaged, foreign and odd things in it."""
    dice, cache = case.dice, case.sandbox.out / "cache"
    (cache / "locks").mkdir(parents=True, mode=0o700)
    cache.chmod(0o700)
    for number in range(dice.randrange(1, 6)):
        path = cache / f"{dice.choice(('a', 'b', '.', 'diinn-nano.encoder'))}{number}.json"
        body: object = {"schema": 1, "key": {"bundle": "x"}, "sha256": "0" * 64, "bytes": 3}
        body = mutated_tree(body, dice)
        text = json.dumps({"manifest": body, "sha256": hashlib.sha256(json.dumps(body).encode()).hexdigest()})
        dice.choice((_as_text, _as_noise, _as_pipe, _as_folder, _as_link, _as_depth))(path, text, dice)
        path.with_suffix(dice.choice((".engine", ".engine.part", ".log", ".jit"))).write_bytes(b"abc")
    if dice.random() < 0.1:
        shutil.rmtree(cache)
        dice.choice((_as_text, _as_pipe))(cache, "x", dice)
    case.sandbox.environment["EDGE_SR_CACHE"] = str(cache)
    return ["engines", dice.choice(("list", "verify", "prune")), *dice.choice(([], ["--json"]))]


def _as_text(path: Path, text: str, _: random.Random) -> None:
    path.write_text(text)


def _as_noise(path: Path, text: str, dice: random.Random) -> None:
    path.write_bytes(mutated(text.encode(), dice))


def _as_pipe(path: Path, _: str, __: random.Random) -> None:
    os.mkfifo(path)


def _as_folder(path: Path, _: str, __: random.Random) -> None:
    path.mkdir()


def _as_link(path: Path, _: str, __: random.Random) -> None:
    path.symlink_to(path.parents[2] / "precious" / "file")


def _as_depth(path: Path, _: str, __: random.Random) -> None:
    path.write_text('{"manifest":' * 60_000)


KINDS: tuple[tuple[Callable[[Case], Words], tuple[str, ...]], ...] = (
    (_description, ()),
    (_description, ()),
    (_graph, ()),
    (_graph, ()),
    (_decoder_weights, ()),
    (_engines, ()),
    (_toml, ()),
    (_checkpoint, ("weights.safetensors",)),
)


if __name__ == "__main__":
    command_line("artefacts", setup, work, *READERS)
