"""What is said of the machine."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from edge_sr.machine.description import describe
from edge_sr.machine.memory import forget_peak_rss, peak_rss_mb
from edge_sr.version import package_version


def test_description_is_plain_data() -> None:
    found = describe()
    assert json.loads(json.dumps(found)) == found
    assert found["cores"] >= 1 and found["cpu"] and found["numpy"] == np.__version__


def test_absent_packages_have_no_version() -> None:
    assert package_version("no-such-package-anywhere") is None


@pytest.mark.skipif(sys.platform != "linux", reason="the high-water mark can be reset on Linux alone")
def test_peak_memory_begins_anew() -> None:
    # What earlier tests have freed comes back first, so the mark is set to what is held now.
    forget_peak_rss()
    before = peak_rss_mb()
    block = np.ones(100_000_000)  # 800 MB
    grown = peak_rss_mb()
    assert grown - before > 400
    del block
    forget_peak_rss()
    assert peak_rss_mb() < grown - 400
