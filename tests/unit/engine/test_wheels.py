"""Wheels are chosen for the image's platform, not the host's."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

from kubelite.engine import EngineError, wheels


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", "x86_64"), ("arm64", "aarch64")])
def test_platforms_are_what_debian_12_runs_newest_first(architecture: str, machine: str) -> None:
    tags = wheels.platforms(architecture)
    assert tags[0] == f"manylinux_2_36_{machine}"
    assert tags.index(f"manylinux_2_17_{machine}") + 1 == tags.index(f"manylinux2014_{machine}")
    assert f"manylinux_2_28_{machine}" in tags
    assert not [tag for tag in tags if not tag.endswith(machine)]


def test_other_architectures_are_refused() -> None:
    with pytest.raises(EngineError, match="riscv64"):
        wheels.platforms("riscv64")


def test_pip_is_told_the_images_python_and_to_build_nothing() -> None:
    command = wheels.pip_command(["aiohttp>=3.10"], Path("/target"), "arm64")
    assert {"--only-binary=:all:", "--python-version=3.11", "--target=/target"} <= set(command)
    assert command[-1] == "aiohttp>=3.10"


def test_missing_pip_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineError) as failure:
        wheels.install([], tmp_path, "amd64")
    assert "ensurepip" in failure.value.cure


def test_failing_pip_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "ERROR: No matching distribution found")
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_options: failed)
    with pytest.raises(EngineError, match="No matching distribution found"):
        wheels.install(["x"], tmp_path, "amd64")


def test_what_only_compilers_and_testers_need_is_stripped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def pip(*_args: object, **_options: object) -> subprocess.CompletedProcess[str]:
        for name in ("bin/tool", "lib/core.py", "lib/core.pyx", "lib/tests/test_core.py"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("")
        return subprocess.CompletedProcess([], 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    wheels.install(["lib"], tmp_path, "amd64")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == ["lib/core.py"]
