"""``edge-sr doctor``: every part in a line, whatever is installed."""

from __future__ import annotations

import importlib.util

import pytest
from support.calling import Command

from edge_sr import __version__
from edge_sr import doctor as health
from edge_sr.engines.interface.loader import Flavour, installed_version
from edge_sr.errors import MissingError
from edge_sr.machine.gpu import Gpu

PARTS = ["onnxruntime", "native", "openvino", "cuda", "tensorrt", "tensorrt-rtx", "gpu", "pycuda", "ffmpeg"]


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command("doctor", monkeypatch, capsys)


def test_json_says_what_works_and_what_to_install(doctor: Command) -> None:
    answer = doctor("--json")
    found = answer.json
    checks = {check["name"]: check for check in found["checks"]}
    assert answer.code == 0 and found["version"] == __version__
    assert list(checks)[: len(PARTS)] == PARTS
    assert {"torch", "onnx", "onnxsim", "matplotlib"} <= set(checks)
    assert {"aiortc", "ray", "pillow-heif", "pillow-jxl-plugin"} <= set(checks)
    assert "onnxruntime" in found["backends"] and checks["ffmpeg"]["state"] == "ready"
    assert "x264" in checks["ffmpeg"]["detail"]
    for check in found["checks"]:
        assert (check["state"] == "ready") <= (check["install"] == "")
        assert "\n" not in check["detail"]
    assert found["machine"]["cores"] >= 1


def test_what_is_absent_names_its_extra(doctor: Command) -> None:
    checks = {check["name"]: check for check in doctor("--json").json["checks"]}
    absent = importlib.util.find_spec("openvino") is None
    assert (checks["openvino"]["state"] == "absent") == absent
    if installed_version(Flavour.TENSORRT) is None:
        assert checks["tensorrt"]["install"].startswith("pip install 'edge-sr[tensorrt]'")


@pytest.mark.parametrize(
    "flavour, version, capability, pycuda, answer",
    [
        (
            Flavour.RTX,
            None,
            None,
            False,
            "not installed: engines cannot be built or run; {rtx}, {gpu}, {cuda}",
        ),
        (Flavour.RTX, "1.7", None, True, "1.7: engines can be built, not run; {gpu}"),
        (
            Flavour.RTX,
            "1.7",
            "9.0",
            True,
            "1.7: engines can be built, not run; a GPU that TensorRT for RTX knows (not 9.0)",
        ),
        (Flavour.RTX, "1.7", "8.9", False, "1.7: engines can be built, not run; {cuda}"),
        (Flavour.RTX, "1.7", "8.9", True, "1.7 with that GPU; "),
        (Flavour.TENSORRT, "10.3", None, True, "10.3: engines cannot be built or run; {gpu}"),
        (Flavour.TENSORRT, "10.3", "8.7", False, "10.3: engines can be built, not run; {cuda}"),
        (Flavour.TENSORRT, "10.3", "9.0", True, "10.3 with that GPU; "),
    ],
)
def test_a_flavour_says_all_that_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
    flavour: Flavour,
    version: str | None,
    capability: str | None,
    pycuda: bool,
    answer: str,
) -> None:
    gpu = None if capability is None else Gpu("that GPU", capability, 8192, False, "13.0")
    monkeypatch.setattr(health, "installed_version", lambda _: version)
    monkeypatch.setattr(health, "gpu_if_any", lambda: gpu)
    monkeypatch.setattr(health, "installed_package", lambda: "pycuda" if pycuda else None)
    monkeypatch.setattr(health, "load", lambda _: None)
    state, detail, install = health._tensorrt(flavour)
    rtx = "pip install 'edge-sr[tensorrt-rtx]'"
    assert f"{detail}; {install}" == answer.format(rtx=rtx, gpu=health.GPU, cuda=health.CUDA)
    assert (state == "ready") == (install == "")


def test_a_tensorrt_that_is_too_old_is_not_called_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Flavour) -> None:
        raise MissingError("strongly typed networks need TensorRT 10 or newer, found 8.5.2")

    monkeypatch.setattr(health, "installed_version", lambda _: "8.5.2")
    monkeypatch.setattr(health, "gpu_if_any", lambda: Gpu("Orin", "8.7", 8192, True, "11.4"))
    monkeypatch.setattr(health, "installed_package", lambda: "pycuda")
    monkeypatch.setattr(health, "load", refuse)
    finding = next(finding for finding in health.examine() if finding.name == "tensorrt")
    assert finding.state == "absent" and "TensorRT 10 or newer" in finding.detail


def test_lines_begin_with_a_mark(doctor: Command) -> None:
    head, *lines, last = doctor().out.splitlines()
    assert head.startswith(f"Edge SR {__version__} on ")
    assert all(line[:2] in ("ok", "--", "!!") for line in lines)
    assert [line.split()[1] for line in lines][: len(PARTS)] == PARTS
    assert {line[21] for line in lines} == {" "} and " " not in {line[22] for line in lines}
    assert last == "upscale works here; -- marks what is optional"


def test_a_part_that_breaks_is_a_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode() -> health.Answer:
        raise RuntimeError("a\nlibrary's own error")

    monkeypatch.setattr(health, "PROBES", (("backend", "openvino", explode),))
    finding = next(health.examine())
    assert (finding.state, finding.detail) == ("broken", "RuntimeError: a library's own error")


def test_pycuda_without_a_driver_is_not_called_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_driver(_name: str) -> None:
        raise ImportError("libcuda.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(health, "find_spec", lambda name: object())
    monkeypatch.setattr(health.importlib, "import_module", no_driver)
    state, detail, install = health._pycuda()
    assert state == "absent"
    assert "no NVIDIA driver" in detail
    assert install == "a machine with an NVIDIA GPU"


def test_without_the_native_library_the_clone_is_installed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_sr.backends.native import library

    monkeypatch.setattr(library, "_load", lambda: "the native library was not built")
    finding = next(finding for finding in health.examine() if finding.name == "native")
    assert (finding.state, "compiler" in finding.detail) == ("absent", True)
    assert finding.install == "pip install --force-reinstall --no-deps . in the clone"
