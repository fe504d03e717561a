"""Networks, bundles and pictures that many tests share."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Several of these processes share the processor: threads that spin while they wait would take it from each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest

from edge_sr.bundle import Bundle, open_bundle
from edge_sr.tensors import reference_card


@pytest.fixture
def picture() -> np.ndarray:
    """uint8 RGB, 37 x 29: odd sides, gradients, edges and lines."""
    return reference_card(37, 29)


@pytest.fixture(scope="session")
def nano() -> Bundle:
    return open_bundle("diinn-nano")


@pytest.fixture(scope="session")
def narrow_bundles(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """By name, a narrow random network of one mode and its bundle, exported once in a process."""
    pytest.importorskip("torch")
    from support.checkpoints import narrow_networks

    from edge_sr.bundle import Source
    from edge_sr.export.bundle import Identity, export_bundle

    folder = tmp_path_factory.mktemp("bundles")

    @functools.cache
    def exported(name: str) -> Any:
        network = narrow_networks()[name]
        return network, export_bundle(
            network, Identity(name, "test", Source("random", "0" * 64)), folder / name
        )

    return exported


@pytest.fixture
def samples() -> Path:
    return Path(__file__).parent / "samples"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--first-and-last",
        action="store_true",
        help="of each test's parameters the first and the last alone: for one more Python with the same packages",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("first_and_last"):
        return
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = {item for same in tests.values() for item in (same[0], same[-1])}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


# What a skip says when a system package is absent; the checks install those, so there none may be.
SYSTEM_PACKAGES = re.compile(r"no Chromium|no ffmpeg|not installed: |no native library|libFuzzer|GStreamer")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With ``EDGE_SR_NO_SKIPS`` set, a test skipped for want of a system package fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("EDGE_SR_NO_SKIPS"):
        return
    reasons = {str(report.longrepr[2]) for report in reporter.stats.get("skipped", [])}
    wanting = sorted(reason for reason in reasons if SYSTEM_PACKAGES.search(reason))
    for reason in wanting:
        reporter.write_line(f"skipped where nothing may be: {reason}", red=True)
    if wanting and session.exitstatus == 0:
        session.exitstatus = 1
