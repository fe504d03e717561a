"""Runs that are killed at any moment, gone on with, and killed again: the result is what an unbroken run gives."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import shutil
import signal
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from campaign import Case, Outcome, command_line
from PIL import Image
from processes import Ended, Limits, Watch, apart, run
from sandbox import Sandbox

FRAMES, PIECE, PICTURES = 48, 6, 8
LIMITS = Limits(cpu_seconds=120)
KINDS = ("film", "film", "film with sound", "folder", "folder", "picture", "batch")
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def setup(seeds: Path) -> None:
    """Films, a picture, a folder of pictures and one of both kinds, each with what an unbroken run makes of it."""
    _film(seeds / "film.mkv", sound=False)
    _film(seeds / "film with sound.mkv", sound=True)
    (seeds / "folder").mkdir()
    for number in range(PICTURES):
        Image.fromarray(_card(number)).save(seeds / "folder" / f"{number}.png")
    shutil.copy(seeds / "folder" / "0.png", seeds / "picture.png")
    (seeds / "batch").mkdir()
    for name in ("folder/1.png", "film.mkv", "folder/2.png", "film with sound.mkv"):
        shutil.copy2(seeds / name, seeds / "batch")
    for kind in sorted(set(KINDS)):
        sandbox = Sandbox(seeds.parent / "whole", seeds.parent / "caches")
        _give(kind, seeds, sandbox)
        began = time.monotonic()
        ended = _run(sandbox, _words(kind, sandbox))
        if ended.code != 0:
            raise RuntimeError(f"{kind}: {ended.err}")
        facts = {"digest": _digest(_output(kind, sandbox)), "seconds": time.monotonic() - began}
        (seeds / f"{kind}.json").write_text(json.dumps(facts))
        shutil.rmtree(sandbox.folder)


def _film(path: Path, sound: bool) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "7"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        voice = container.add_stream("aac", rate=48000, layout="mono") if sound else None
        for number in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(_card(number), format="rgb24")))
        container.mux(stream.encode(None))
        if voice is not None:
            for number in range(FRAMES * 48000 // 25 // 1024):
                wave = np.sin(np.arange(1024) * (number % 9 + 1) / 50).astype(np.float32)[None]
                frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                frame.rate, frame.pts, frame.time_base = 48000, number * 1024, Fraction(1, 48000)
                container.mux(voice.encode(frame))
            container.mux(voice.encode(None))


def _card(number: int) -> np.ndarray:
    y, x = np.mgrid[0:48, 0:64]
    return np.stack([x * 3 + number * 5, y * 4 + number, x + y + number * 2], -1).astype(np.uint8)


@dataclasses.dataclass
class _Kill:
    """Sends the signal ``delay`` seconds after the start or, with ``joining``, after the pieces are being joined."""

    number: int
    delay: float
    joining: Path | None
    sent: bool = False

    def watch(self) -> Watch:
        began: list[float] = [] if self.joining else [time.monotonic()]

        def look(child: int) -> bool:
            if not began and self.joining is not None and any(self.joining.glob("*.part/whole*")):
                began.append(time.monotonic())
            if began and time.monotonic() - began[0] >= self.delay:
                os.kill(child, self.number)
                self.sent = True
            return self.sent

        return look


def work(case: Case) -> Outcome:
    dice, sandbox = case.dice, case.sandbox
    kind = dice.choice(KINDS)
    whole = json.loads((case.seeds / f"{kind}.json").read_text())
    _give(kind, case.seeds, sandbox)
    sandbox.seal()
    faults: list[str] = []
    sent, resumed = 0, False
    for _ in range(dice.choice((1, 1, 2, 4))):
        kill = _moment(kind, whole["seconds"], sandbox, dice)
        ended = _run(sandbox, _words(kind, sandbox, resumed), kill)
        sent += kill.sent
        resumed = True
        faults += _after_kill(kind, ended, kill, sandbox, whole["digest"])
        if faults:
            break
    ended = _run(sandbox, _words(kind, sandbox, True))
    faults += sandbox.faults(ended, LIMITS)
    faults += _finished(kind, ended, sandbox, whole["digest"])
    return Outcome(kind, tuple(faults), (("kills", sent),))


def _moment(kind: str, seconds: float, sandbox: Sandbox, dice: random.Random) -> _Kill:
    if kind.startswith("film") and dice.random() < 0.3:
        return _Kill(dice.choice(SIGNALS), dice.choice((0.0, 0.001, 0.01, 0.05)), sandbox.out)
    return _Kill(dice.choice(SIGNALS), dice.uniform(0, 1.2 * seconds), None)


def _after_kill(kind: str, ended: Ended, kill: _Kill, sandbox: Sandbox, digest: str) -> list[str]:
    """What must hold after each: killed or stopped or done, and nothing half done under a final name."""
    found = []
    if ended.code not in (0, 130, -kill.number):
        found.append(f"signal {kill.number} ended it with {ended.code}: {ended.err[-300:]}")
    if "Traceback" in ended.err:
        found.append("a traceback")
    output = _output(kind, sandbox)
    if output.is_file() and _digest(output) != digest:
        found.append("something else than the whole film stands under its name")
    if ended.code == 0 and not output.exists():
        found.append("exit 0 without an output")
    return found


def _finished(kind: str, ended: Ended, sandbox: Sandbox, digest: str) -> list[str]:
    if ended.code != 0:
        return [f"--resume to the end: exit {ended.code}: {ended.err[-400:]}"]
    found = [] if _digest(_output(kind, sandbox)) == digest else ["the result differs from an unbroken run's"]
    left = sorted(path.name for path in sandbox.out.iterdir() if path != _output(kind, sandbox))
    return found + ([f"left behind: {', '.join(left)}"] if left else [])


def _give(kind: str, seeds: Path, sandbox: Sandbox) -> None:
    given = seeds / (kind + _suffix(kind))
    if given.is_dir():
        shutil.copytree(given, sandbox.given / given.name)
    else:
        shutil.copy2(given, sandbox.given)


def _suffix(kind: str) -> str:
    return {"folder": "", "batch": "", "picture": ".png"}.get(kind, ".mkv")


def _output(kind: str, sandbox: Sandbox) -> Path:
    return sandbox.out / f"larger{_suffix(kind)}"


def _words(kind: str, sandbox: Sandbox, resumed: bool = False) -> list[str]:
    given = sandbox.given / (kind + _suffix(kind))
    words = [
        "upscale",
        str(given),
        "-o",
        str(_output(kind, sandbox)),
        "--scale",
        "1.5",
        "--model",
        "diinn-nano",
    ]
    words += ["--backend", "native", "--precision", "fp32", "--threads", "1"]
    if not resumed:
        return words
    return [*words, "--overwrite" if kind == "picture" else "--resume"]


def _run(sandbox: Sandbox, words: list[str], kill: _Kill | None = None) -> Ended:
    watch = None if kill is None else kill.watch()
    return run(
        words,
        folder=sandbox.here,
        environment=sandbox.environment,
        limits=LIMITS,
        watch=watch,
        prepare=_short_pieces,
    )


def _short_pieces() -> None:
    """Many pieces from a short film."""
    import edge_sr.upscale.film_plan as planning

    planning.frames_per_segment = lambda _: PIECE


def _digest(output: Path) -> str:
    return apart(lambda: _content(output))


def _content(output: Path) -> str:
    """Of a picture or a film, or of all in a folder with their names."""
    if not output.is_dir():
        return _pixels(output)
    return " ".join(f"{path.name} {_pixels(path)}" for path in sorted(output.iterdir()))


def _pixels(path: Path) -> str:
    """All pixels of a picture, or all pixels and times of a film and every packet of its sound."""
    digest = hashlib.sha256()
    if path.suffix == ".png":
        with Image.open(path) as image:
            return hashlib.sha256(image.tobytes()).hexdigest()
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.stream.type != "video":
                digest.update(f"{packet.pts} {packet.size}".encode() + bytes(packet))
                continue
            for frame in packet.decode():
                digest.update(f"{frame.pts}".encode() + frame.to_ndarray().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    command_line(
        "kills", setup, work, "edge_sr.upscale.film_plan", "edge_sr.upscale.films", "edge_sr.upscale.stills"
    )
