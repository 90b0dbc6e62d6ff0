"""What the images are made from is found and hashed, cheaply and completely."""

from __future__ import annotations

import tarfile
import time
from pathlib import Path

import pytest

from kubelite.engine import EngineError, images, sources


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small clone: package, images and project file."""
    files = {
        "pyproject.toml": '[project]\ndependencies = ["b>=1", "a"]\n',
        "kubelite/__init__.py": "",
        "kubelite/addons/dns.yaml": "kind: Pod\n",
        "kubelite/__pycache__/x.pyc": "compiled",
        "images/pause/Dockerfile": "FROM scratch\n",
        "images/python/Dockerfile": "FROM x\n",
        "images/kubelite/Dockerfile": "FROM y\n",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    monkeypatch.setattr(sources, "PACKAGE", tmp_path / "kubelite")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("kubelite/__init__.py", True),
        ("kubelite/addons/dns.yaml", True),
        ("kubelite/new.py", True),
        ("pyproject.toml", True),
        ("images/python/Dockerfile", True),
        ("images/kubelite/Dockerfile", True),
        ("kubelite/__pycache__/y.pyc", False),
        ("images/pause/Dockerfile", False),
        ("README.md", False),
    ],
)
def test_code_hash_changes_with_what_ends_in_the_image(clone: Path, name: str, changes: bool) -> None:
    before = sources.code_hash()
    (clone / name).write_text('[project]\ndependencies = ["c"]\n')
    assert (sources.code_hash() != before) is changes


def test_code_hash_is_the_same_wherever_the_clone_lies(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sources.code_hash()
    moved = clone.rename(clone.with_name("moved"))
    monkeypatch.setattr(sources, "ROOT", moved)
    monkeypatch.setattr(sources, "PACKAGE", moved / "kubelite")
    assert sources.code_hash() == before


def test_code_context_is_a_clone_in_small(clone: Path) -> None:
    with tarfile.open(fileobj=sources.code_context()) as archive:
        names = set(archive.getnames())
    assert {"Dockerfile", "pyproject.toml", "kubelite/__init__.py", "images/pause/Dockerfile"} <= names
    assert not [name for name in names if "__pycache__" in name]


def test_requirements_come_from_the_project_file_else_from_the_installed_package(clone: Path) -> None:
    assert sources.requirements() == ["a", "b>=1"]
    (clone / "pyproject.toml").unlink()
    assert any(line.startswith("aiohttp") for line in sources.requirements())
    assert not any(line.startswith("pytest") for line in sources.requirements())


def test_installation_without_sources_says_what_to_do(clone: Path) -> None:
    (clone / "images" / "pause" / "Dockerfile").unlink()
    with pytest.raises(EngineError) as failure:
        sources.images_directory()
    assert "kubelite images load" in failure.value.cure


def test_every_image_has_its_sources_and_hashing_them_all_is_quick() -> None:
    started = time.monotonic()
    hashes = [images.source_hash(name) for name in images.NAMES]
    assert time.monotonic() - started < 0.2
    assert len(set(hashes)) == len(images.NAMES)
