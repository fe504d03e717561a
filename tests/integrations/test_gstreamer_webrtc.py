"""What `edgesr` makes, sent from one WebRTC peer to another."""

from __future__ import annotations

import pytest
from test_gstreamer import FAST, SUPPORT, absent, python_with_bindings, run

pytestmark = [pytest.mark.skipif(bool(absent()), reason=absent()), pytest.mark.xdist_group("gstreamer")]


def test_between_two_webrtc_peers() -> None:
    source = f"videotestsrc num-buffers=20 ! video/x-raw,format=I420,width=160,height=90 ! {FAST} scale=2"
    found = run(python_with_bindings(), str(SUPPORT / "gst_webrtc.py"), "20", source)
    if found.stderr.startswith("not installed"):
        pytest.skip(found.stderr.strip())
    assert found.stdout.split(maxsplit=1) == ["20", "(320, 180)\n"], found.stdout + found.stderr
