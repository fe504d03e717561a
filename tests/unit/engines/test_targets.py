"""Target profiles: all load, say what they are, and find the device they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sr.engines.interface.loader import RTX_COMPUTE_CAPABILITIES, Flavour
from edge_sr.engines.target import load_target, require_supported, target_names, targets_folder
from edge_sr.errors import ConfigError, MissingError, OptionError, UnknownNameError
from edge_sr.machine.gpu import Gpu
from edge_sr.sizes import parse_size

JETSONS = ["jetson-agx-orin", "jetson-agx-thor", "jetson-orin-nano", "jetson-orin-nx"]
CARDS = ["a100", "h100", "l4", "l40s", "t4"]
RTX = ["rtx-20", "rtx-30", "rtx-40", "rtx-50", "rtx-gb10", "rtx-portable"]


def test_the_profiles_are_those_that_are_promised() -> None:
    assert target_names() == sorted(JETSONS + CARDS + RTX)


@pytest.mark.parametrize("name", JETSONS + CARDS + RTX)
def test_a_profile_is_complete(name: str) -> None:
    profile = load_target(name)
    assert profile.name == profile.given_as == name
    assert profile.flavour == ("tensorrt-rtx" if name.startswith("rtx-") else "tensorrt")
    assert profile.sources and profile.memory_mib >= 4096 and profile.bandwidth_gb_s >= 100
    assert profile.integrated == (name in [*JETSONS, "rtx-gb10"])
    assert profile.precision == "fp16" and profile.input_sizes and min(profile.tile_size) >= 64
    require_supported(profile, Flavour(profile.flavour))


def test_portable_is_set_explicitly() -> None:
    assert load_target("rtx-portable").compute_capabilities == ("8.6", "8.9", "12.0", "12.1")


def test_only_orins_beyond_the_nano_have_dla_and_the_nano_cannot_encode() -> None:
    cores = {name: load_target(name).dla_cores for name in target_names()}
    assert {name: count for name, count in cores.items() if count} == {
        "jetson-orin-nx": 2,
        "jetson-agx-orin": 2,
    }
    assert load_target("jetson-orin-nano").encoders == ()


@pytest.mark.parametrize(
    "gpu, capability, name",
    [
        ("NVIDIA Jetson Orin Nano Developer Kit Orin", "8.7", "jetson-orin-nano"),
        ("NVIDIA Jetson AGX Orin Developer Kit Orin", "8.7", "jetson-agx-orin"),
        ("NVIDIA Jetson AGX Thor Developer Kit NVIDIA Thor", "11.0", "jetson-agx-thor"),
        ("NVIDIA L4", "8.9", "l4"),
        ("NVIDIA L40S", "8.9", "l40s"),
        ("NVIDIA GeForce RTX 4070 Ti", "8.9", "rtx-40"),
        ("NVIDIA GeForce RTX 5090", "12.0", "rtx-50"),
        ("NVIDIA GeForce RTX 2060", "7.5", "rtx-20"),
        ("Quadro RTX 4000", "7.5", "rtx-20"),
        ("NVIDIA RTX A4000", "8.6", "rtx-30"),
        ("NVIDIA A100-SXM4-80GB", "8.0", "a100"),
        ("NVIDIA H100 80GB HBM3", "9.0", "h100"),
        ("Tesla T4", "7.5", "t4"),
    ],
)
def test_auto_finds_the_devices_own(gpu: str, capability: str, name: str) -> None:
    assert load_target("auto", Gpu(gpu, capability, 8192, False, "13.0")).name == name


@pytest.mark.parametrize(
    "gpu, name",
    [
        (Gpu("Orin", "8.7", 62841, True, "12.6", 16), "jetson-agx-orin"),
        (Gpu("Orin", "8.7", 30697, True, "12.6", 14), "jetson-agx-orin"),
        (Gpu("Orin", "8.7", 62841, True, "12.6", 8), "jetson-agx-orin"),
        (Gpu("Orin", "8.7", 15656, True, "12.6", 8), "jetson-orin-nx"),
        (Gpu("Orin", "8.7", 15656, True, "12.6", 4), "jetson-orin-nx"),
        (Gpu("Orin", "8.7", 7620, True, "12.6", 8), "jetson-orin-nano"),
        (Gpu("Orin", "8.7", 3620, True, "12.6", 4), "jetson-orin-nano"),
        (Gpu("NVIDIA Thor", "11.0", 125772, True, "13.0", 20), "jetson-agx-thor"),
    ],
    ids=str,
)
def test_auto_finds_a_jetson_whose_board_a_container_hides(gpu: Gpu, name: str) -> None:
    assert load_target("auto", gpu).name == name


def test_engines_of_a_host_are_those_of_its_containers() -> None:
    host = Gpu(
        "NVIDIA Jetson Orin NX Engineering Reference Developer Kit Orin",
        "8.7",
        15656,
        True,
        "12.6",
        8,
        "Orin",
    )
    inside = Gpu("Orin", "8.7", 15601, True, "12.6", 8, "Orin")
    assert host.identity == inside.identity == "Orin, 16 GiB"
    assert Gpu("NVIDIA L4", "8.9", 23034, False, "13.0").identity == "NVIDIA L4"


def test_the_variable_says_what_auto_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SR_TARGET", "jetson-orin-nx")
    assert load_target("auto", None).name == "jetson-orin-nx"
    monkeypatch.setenv("EDGE_SR_TARGET", "jetson-orin-xn")
    with pytest.raises(UnknownNameError, match="jetson-orin-xn"):
        load_target("auto", None)


@pytest.mark.parametrize(
    "name, mebibytes", [("jetson-orin-nano", 1024), ("jetson-agx-orin", 1024), ("l4", 12288)]
)
def test_the_workspace_follows_from_the_memory(name: str, mebibytes: int) -> None:
    assert load_target(name).workspace == mebibytes


@pytest.mark.parametrize("name", ["Orin", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Orin"])
def test_a_smaller_board_of_a_family_gets_a_smaller_workspace(name: str) -> None:
    found = load_target("auto", Gpu(name, "8.7", 3620, True, "12.6", 4))
    assert (found.name, found.workspace) == ("jetson-orin-nano", 512)
    whole = load_target("auto", Gpu(name, "8.7", 7620, True, "12.6", 8))
    assert whole == load_target("jetson-orin-nano") and whole.workspace == 1024


def test_auto_says_what_to_do_for_a_device_nobody_knows() -> None:
    with pytest.raises(UnknownNameError, match="write one like"):
        load_target("auto", Gpu("NVIDIA H200", "10.9", 8192, False, "13.0"))


@pytest.mark.parametrize("name", JETSONS + CARDS)
def test_rtx_is_refused_where_it_cannot_build(name: str) -> None:
    profile = load_target(name)
    if set(profile.compute_capabilities) <= set(RTX_COMPUTE_CAPABILITIES):
        require_supported(profile, Flavour.RTX)
    else:
        with pytest.raises(OptionError, match="only for 7"):
            require_supported(profile, Flavour.RTX)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('"tensorrt-rtx"', '"cuda"', "flavour must be one of"),
        ('["8.9"]', '["89"]', "compute_capabilities"),
        ('["8.9"]', "[]", "compute_capabilities"),
        ('"2048x256"', '"2048"', "tile is WIDTHxHEIGHT"),
        ("memory_mib = 8192", 'memory_mib = "8 GB"', "memory_mib must be int"),
        ("memory_mib = 8192", "memory_mib = -1", "memory_mib must lie"),
        ("memory_mib = 8192", "memory_mib = 0", "memory_mib must lie"),
        ("memory_mib = 8192", "memory_mib = 8192\nworkspace_mib = -5", "workspace_mib must lie"),
        ("memory_mib = 8192", "memory_mib = 8192\nworkspace_mib = 99999999999", "workspace_mib must lie"),
        ('precision = "fp16"', 'precision = "fp99"', "precision must be one of fp32"),
        (
            "memory_mib = 8192",
            "memory_mib = 8192\noptimization_level = 9",
            r"optimization_level must lie in \[0, 5\]",
        ),
        ('sizes = ["640x360", "1280x720", "1920x1080"]', "sizes = []", "at least one input size"),
        ("title", "titel", "unknown key 'titel'"),
    ],
)
def test_a_wrong_profile_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (targets_folder() / "rtx-40.toml").read_text()
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        load_target(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("text", ["", "640", "640x", "0x4", "-4x4", "640X360", "640x360x3", "1e3x4"])
def test_a_size_is_two_positive_numbers(text: str) -> None:
    with pytest.raises(OptionError, match="WIDTHxHEIGHT"):
        parse_size(text)


def test_without_a_driver_one_line_says_so() -> None:
    from edge_sr.machine.gpu import find_gpu

    if Path("/dev/nvidia0").exists():
        pytest.skip("this machine has a GPU")
    with pytest.raises(MissingError, match="libcuda"):
        find_gpu()
