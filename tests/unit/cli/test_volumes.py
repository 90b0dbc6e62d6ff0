"""The table of volumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kubelite.cli.volumes import left_over, table, used


def volume(name: str, path: Path, phase: str = "Bound") -> dict[str, Any]:
    spec = {"capacity": {"storage": "100Mi"}, "nfs": {"server": "x", "path": str(path)}}
    return {"metadata": {"name": name}, "spec": spec, "status": {"phase": phase}}


def claim(name: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "default", "name": name}}


def pod(name: str, claimed: str) -> dict[str, Any]:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claimed}}, {"name": "e", "emptyDir": {}}]
    return {"metadata": {"namespace": "default", "name": name}, "spec": {"volumes": volumes}}


def test_each_claim_has_its_directory_size_and_pods(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    (first / "deep").mkdir(parents=True)
    (first / "deep" / "file").write_bytes(b"x" * 2048)
    second.mkdir()
    volumes = [volume("v1", first), volume("v2", second, "Released"), {"metadata": {"name": "v3"}, "spec": {}}]
    assert table(volumes, {"v1": claim("data-0")}, [pod("a", "data-0"), pod("b", "data-0")]) == [
        ["(released)", "100Mi", "0", "-", str(second)],
        ["default/data-0", "100Mi", "2Ki", "a,b", str(first)],
    ]


def test_directories_without_a_volume_are_listed(tmp_path: Path) -> None:
    for name in ("archived-x", "unknown", "known", "nested/known"):
        (tmp_path / name).mkdir(parents=True)
    volumes = [volume("v1", tmp_path / "known"), volume("v2", tmp_path / "nested" / "known")]
    assert [row[0] for row in left_over(volumes, tmp_path)] == ["(archived)", "-"]


def test_missing_directory_holds_nothing(tmp_path: Path) -> None:
    assert used(tmp_path / "gone") == 0
