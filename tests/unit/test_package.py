"""The package itself: what it exports, what its import costs, and what the wheel holds."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

import edge_sr
from edge_sr import errors
from edge_sr.cli.app import COMMANDS

ROOT = Path(__file__).parents[2]


def test_the_door_is_what_all_says() -> None:
    assert set(edge_sr.__all__) == {"Upscaler", "__version__", "open_bundle"}
    for name in edge_sr.__all__:
        assert getattr(edge_sr, name) is not None
    assert set(edge_sr.__all__) <= set(dir(edge_sr))
    with pytest.raises(AttributeError):
        edge_sr.nothing  # noqa: B018


@pytest.mark.skipif(
    not {"EDGE_SR_NO_SKIPS", "PYTEST_XDIST_WORKER"} <= os.environ.keys(),
    reason="asked of the checks' workers",
)
@pytest.mark.xdist_group("package")
def test_groups_of_tests_reach_the_workers(request: pytest.FixtureRequest) -> None:
    """A pytest that hides them from pytest-xdist makes every worker export, build and start what a group shares."""
    assert request.node.nodeid.endswith("@package")


def test_types_are_marked() -> None:
    assert (Path(edge_sr.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_explains_itself_without_its_extras(command: str) -> None:
    hidden = ("torch", "onnx", "onnxsim", "safetensors", "openvino", "tensorrt_rtx", "aiohttp", "matplotlib")
    code = (
        f"import sys\nfor name in {hidden!r}: sys.modules[name] = None\n"
        "from edge_sr.cli.app import main\n"
        f"sys.argv = ['edge-sr', {command!r}, '--help']\nmain()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "Usage: edge-sr" in result.stdout


def error_classes() -> list[type[errors.EdgeSRError]]:
    named = [value for value in vars(errors).values() if isinstance(value, type)]
    return [value for value in named if issubclass(value, errors.EdgeSRError)]


def test_every_error_has_its_place_in_the_tree_and_its_exit_code() -> None:
    for error in error_classes():
        assert error is errors.EdgeSRError or error.exit_code in (2, 3, 4, 5, 130)
        assert error.__name__ in errors.__doc__


@pytest.mark.parametrize("project", [".", "integrations/vapoursynth"])
def test_wheels_by_ziglang_are_built_where_the_toolchain_finds_it(project: str) -> None:
    """The toolchain asks the first `python`; cibuildwheel's own front end puts one without packages before it."""
    text = (ROOT / project / "pyproject.toml").read_text(encoding="utf-8")
    wheels = tomllib.loads(text)["tool"]["cibuildwheel"]
    by_ziglang = [one for one in wheels["overrides"] if "ziglang" in str(one["before-build"])]
    assert [one["select"] for one in by_ziglang] == ["*-win_amd64"]
    assert [one.get("build-frontend") for one in by_ziglang] == ["pip"]


def test_a_source_archive_holds_what_its_scripts_run() -> None:
    """`demo.sh` upscales a film of the tests, `test.sh` runs them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "tests" not in project["tool"]["scikit-build"]["sdist"]["exclude"]


@pytest.mark.slow
def test_the_wheel_holds_the_package_alone(tmp_path: Path) -> None:
    importlib.import_module("pip")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(pip, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        bundles = sum(info.compress_size for info in archive.infolist() if "/bundles/" in info.filename)
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"edge_sr"}
    for part in (
        "py.typed",
        "bundles/diinn-edge/bundle.json",
        "engines/targets/l4.toml",
        "export/models/diinn-edge.toml",
        "calibration/recipes/diinn-edge.toml",
        "camera/page/page.html",
        "evaluation/page/report.css",
    ):
        assert any(name.startswith(f"edge_sr/{part}") for name in names), part
    assert bundles <= 8 * 2**20
