"""What is said of the machine."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from edge_sr.evaluation.machine import describe, forget_peak_memory, package_version, peak_memory_mb


def test_description_is_plain_data() -> None:
    found = describe()
    assert json.loads(json.dumps(found)) == found
    assert found["cores"] >= 1 and found["cpu"] and found["numpy"] == np.__version__


def test_absent_packages_have_no_version() -> None:
    assert package_version("no-such-package-anywhere") is None


@pytest.mark.skipif(sys.platform != "linux", reason="the high-water mark can be reset on Linux alone")
def test_peak_memory_begins_anew() -> None:
    before = peak_memory_mb()
    block = np.ones(30_000_000)  # 240 MB
    grown = peak_memory_mb()
    assert grown - before > 150
    del block
    forget_peak_memory()
    assert peak_memory_mb() < grown - 150
