"""A film through Edge SR inside other programs, beside `edge-sr upscale`: frames/s of whole commands, and the picture.

    python benchmarks/programs.py FILM [--input-size 320x180] [--frames 120] [--rounds 1] [--vspipe PATH]

Each command makes a few frames in FFV1, and the values that differ from `upscale`'s are counted. Then each reads the
same lossless film and ends in x264 `medium`, CRF 18, in turns. Needs ffmpeg, and for their rows vspipe with
the plugins edgesr and bestsource, GStreamer with edgesr, mpv, and curl; what is left out is said. Ends with 1 where
values differ.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import av
import numpy as np

from edge_sr.bundle.stored import shipped_folder
from edge_sr.machine.description import describe
from edge_sr.sizes import parse_size

FFMPEG = "ffmpeg -v error -y"
GSTREAMER_NEEDS = "edgesr avdec_ffv1 x264enc"
COMPARED_FRAMES = 12
ENVIRONMENT = {**os.environ, "EDGE_SR_BUNDLES": str(shipped_folder())}
SCRIPT = """import vapoursynth as vs
clip = vs.core.bs.VideoSource({film!r}, cachemode=0)
vs.core.edgesr.Upscale(clip, scale={scale}).set_output()
"""


@dataclasses.dataclass(frozen=True)
class Encoding:
    """One encoder of the output, as each program calls it."""

    edge_sr: str
    ffmpeg: str
    gstreamer: str
    mpv: str
    query: str


X264 = Encoding(
    "--codec x264 --preset medium --crf 18",
    "-c:v libx264 -preset medium -crf 18",
    "x264enc speed-preset=medium pass=qual quantizer=18 ! h264parse",
    "--ovc=libx264 --ovcopts=preset=medium,crf=18",
    "codec=x264&preset=medium&crf=18",
)
FFV1 = Encoding("--codec ffv1", "-c:v ffv1", "avenc_ffv1", "--ovc=ffv1", "codec=ffv1")


def commands(encoding: Encoding, scale: str, vspipe: str, service: str) -> dict[str, tuple[str, str]]:
    """Place -> a shell's commands: one that fails where the place is not to be had, one from film.mkv to out.mkv."""
    upscale = f"{sys.executable} -m edge_sr upscale"
    to = f"{encoding.ffmpeg} out.mkv"
    return {
        "upscale": (
            "true",
            f"{upscale} film.mkv --scale {scale} {encoding.edge_sr} --overwrite -o out.mkv",
        ),
        "VapourSynth": (f"{vspipe} --info film.vpy -", f"{vspipe} -c y4m film.vpy - | {FFMPEG} -i - {to}"),
        "GStreamer": (
            f"for name in {GSTREAMER_NEEDS}; do gst-inspect-1.0 --exists $name || exit 1; done",
            f"gst-launch-1.0 -q filesrc location=film.mkv ! matroskademux ! avdec_ffv1 ! edgesr scale={scale} ! "
            f"{encoding.gstreamer} ! matroskamux ! filesink location=out.mkv",
        ),
        "FFmpeg": (
            "command -v ffmpeg",
            f"{FFMPEG} -i film.mkv -f yuv4mpegpipe -strict -1 - | {upscale} - -o - --scale {scale} | "
            f"{FFMPEG} -i - {to}",
        ),
        "mpv": (
            "command -v mpv",
            f"{upscale} film.mkv -o - --scale {scale} | "
            f"mpv --no-config --really-quiet - {encoding.mpv} --of=matroska --o=out.mkv",
        ),
        "service": (
            "command -v curl",
            f"curl -sSNf -F file=@film.mkv -o out.mkv '{service}/upscale?scale={scale}&{encoding.query}'",
        ),
    }


@contextlib.contextmanager
def served() -> Iterator[str]:
    """The address of a service, until it is left."""
    command = [sys.executable, "-m", "edge_sr", "serve", "127.0.0.1:0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        found = next(
            filter(None, (re.search(r"service: (http://\S+?)/?\s", line) for line in process.stderr))
        )
        yield found[1]
    finally:
        process.terminate()
        process.communicate()


def make_film(source: str, size: tuple[int, int], frames: int, folder: Path, scale: str) -> None:
    words = ["-stream_loop", "-1", "-i", str(Path(source).resolve()), "-an", "-sn", "-frames:v", str(frames)]
    words += [
        "-vf",
        f"scale={size[0]}:{size[1]}",
        "-pix_fmt",
        "yuv420p",
        "-c:v",
        "ffv1",
        str(folder / "film.mkv"),
    ]
    subprocess.run([*FFMPEG.split(), *words], check=True)
    (folder / "film.vpy").write_text(SCRIPT.format(film=str(folder / "film.mkv"), scale=scale))


def run(command: str, folder: Path) -> float:
    """Seconds of the command."""
    began = time.perf_counter()
    done = shell(command, folder)
    if done.returncode:
        raise SystemExit(f"{command}\n{done.stderr.decode()}")
    return time.perf_counter() - began


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    script = f"set -o pipefail; {command}"
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True
    )


def is_there(place: str, check: str, folder: Path) -> bool:
    """Whether the place's row can be had; says where it is left out."""
    found = shell(check, folder).returncode == 0
    if not found:
        print(f"left out: {place}, as this fails: {check}", file=sys.stderr)
    return found


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray() for frame in film.decode(video=0)]


def differing(one: list[np.ndarray], other: list[np.ndarray]) -> str:
    """How far two films are apart; empty where they are equal."""
    if [frame.shape for frame in one] != [frame.shape for frame in other]:
        return f"{len(one)} frames of {one[0].shape}, not {len(other)} of {other[0].shape}"
    difference = np.abs(np.stack(one).astype(int) - np.stack(other))
    if not difference.any():
        return ""
    return f"{1000 * (difference > 0).mean():.3f} of 1,000 values, by up to {difference.max()}"


def main() -> None:
    options = parse_arguments()
    size = parse_size(options.input_size, "--input-size")
    with tempfile.TemporaryDirectory() as temporary, served() as service:
        folder = Path(temporary)
        asked = (options.scale, options.vspipe, service)
        make_film(options.film, size, COMPARED_FRAMES, folder, options.scale)
        places = [
            name for name, (check, _) in commands(X264, *asked).items() if is_there(name, check, folder)
        ]
        pictures = {}
        for name in places:
            run(commands(FFV1, *asked)[name][1], folder)
            pictures[name] = decoded(folder / "out.mkv")
        make_film(options.film, size, options.frames, folder, options.scale)
        taken: dict[str, list[float]] = {name: [] for name in places}
        for _ in range(options.rounds):
            for name in places:
                taken[name].append(run(commands(X264, *asked)[name][1], folder))
    sys.exit(report(options, taken, pictures))


def report(
    options: argparse.Namespace, taken: dict[str, list[float]], pictures: dict[str, list[np.ndarray]]
) -> bool:
    about = describe()
    print(f"{about['cpu']}, {about['cores']} cores")
    print(f"{options.frames} frames of {options.input_size}, x{options.scale}; {options.rounds} rounds")
    wrong = {name: differing(found, pictures["upscale"]) for name, found in pictures.items()}
    for name, seconds in taken.items():
        pace, ratio = options.frames / median(seconds), median(taken["upscale"]) / median(seconds)
        print(f"{name:12} {pace:6.1f} frames/s  {ratio:5.2f} of upscale's  {wrong[name] or 'equal'}")
    return any(wrong.values())


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("film")
    parser.add_argument("--input-size", default="320x180")
    parser.add_argument("--scale", default="2")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--vspipe", default="vspipe")
    return parser.parse_args()


if __name__ == "__main__":
    main()
