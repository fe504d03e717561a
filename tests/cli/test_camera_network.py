"""``edge-sr camera`` behind a network of its own: a cable that is pulled, delay, loss."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from support.calling import heard

HERE, THERE, PORT = "10.213.7.1/30", "10.213.7.2/30", 5004
ADDRESS = f"udp://{THERE.partition('/')[0]}:{PORT}"
# What waits for cameras and clients is one worker's, while others compute.
pytestmark = pytest.mark.xdist_group("live")
FFMPEG = shutil.which("ffmpeg")


def configure(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextlib.contextmanager
def network(*impairment: str) -> Iterator[str]:
    """A namespace at the end of a virtual cable, whose near end has the same name."""
    name = f"esr{os.getpid()}"
    configure("ip", "netns", "add", name)
    try:
        configure("ip", "link", "add", name, "type", "veth", "peer", "name", "far", "netns", name)
        configure("ip", "addr", "add", HERE, "dev", name)
        configure("ip", "-n", name, "addr", "add", THERE, "dev", "far")
        configure("ip", "-n", name, "link", "set", "far", "up")
        configure("ip", "link", "set", name, "up")
        if impairment:
            configure("tc", "qdisc", "add", "dev", name, "root", *impairment)
        yield name
    finally:
        # A namespace takes its end of the cable along only some time after it is gone.
        subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)
        configure("ip", "netns", "del", name)


@functools.cache
def obstacle(*impairment: str) -> str:
    """Why there can be no such network here, or nothing."""
    if FFMPEG is None or not shutil.which("ip") or not shutil.which("tc"):
        return "no iproute2 or no ffmpeg"
    try:
        with network(*impairment):
            return ""
    except subprocess.CalledProcessError as error:
        return f"no such network for this user or kernel: {error.stderr.decode().strip()}"


@contextlib.contextmanager
def sending() -> Iterator[None]:
    """A picture of 96 x 64 at 25 frames a second."""
    picture = ["-re", "-f", "lavfi", "-i", "testsrc=size=96x64:rate=25", "-pix_fmt", "yuv420p"]
    coding = [
        "-c:v",
        "libx264",
        "-tune",
        "zerolatency",
        "-g",
        "12",
        "-f",
        "mpegts",
        f"{ADDRESS}?pkt_size=1316",
    ]
    with subprocess.Popen([str(FFMPEG), "-nostdin", "-v", "quiet", *picture, *coding]) as sender:
        try:
            yield
        finally:
            sender.kill()


def camera(name: str, target: Path, *more: str) -> subprocess.Popen[bytes]:
    """Inside the namespace, started and running."""
    command = [sys.executable, "-m", "edge_sr", "camera", ADDRESS, "-o", str(target), "--scale", "2"]
    command += ["--model", "diinn-nano", "--json", *more]
    process = subprocess.Popen(
        ["ip", "netns", "exec", name, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    assert b"96x64 to 192x128" in heard(process.stderr)
    return process


def pictures(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.skipif(bool(obstacle()), reason=obstacle())
def test_a_cable_that_is_pulled_and_put_back(tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    with network() as name, sending(), camera(name, target) as process:
        time.sleep(1)
        configure("ip", "link", "set", name, "down")
        assert process.stderr is not None
        assert b"connecting again" in heard(process.stderr)
        configure("ip", "link", "set", name, "up")
        assert b"is back" in heard(process.stderr)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        report = json.loads(process.communicate(timeout=30)[0])
    assert report["reconnects"] == 1
    assert report["repeated"] > 20
    assert pictures(target) == report["frames_out"] + report["repeated"]


BAD_LINE = ("netem", "delay", "60ms", "20ms", "loss", "3%")


@pytest.mark.skipif(bool(obstacle(*BAD_LINE)), reason=obstacle(*BAD_LINE))
def test_delay_and_loss_are_survived(tmp_path: Path) -> None:
    target = tmp_path / "out.mkv"
    with network(*BAD_LINE) as name, sending(), camera(name, target, "--duration", "5") as process:
        report = json.loads(process.communicate(timeout=60)[0])
    assert report["frames_out"] > 20
    assert report["reconnects"] == 0
    assert pictures(target) >= report["frames_out"]
