"""How much a memory-backed volume holds, and that nothing of it stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubelite.node.memory_volumes import make, memory_size, remove
from kubelite.objects.meta import Obj
from tests.unit.node.pods import container, pod

MIB = 1 << 20


def limited(name: str = "web", memory: str = "64Mi", **fields: Any) -> Obj:
    return container(name, resources={"limits": {"memory": memory}}, **fields)


@pytest.mark.parametrize(
    ("of", "source", "size"),
    [
        (pod(), {}, 0),
        (pod(), {"sizeLimit": "16Mi"}, 16 * MIB),
        (pod(limited()), {}, 64 * MIB),
        (pod(limited()), {"sizeLimit": "16Mi"}, 16 * MIB),
        (pod(limited()), {"sizeLimit": "1Gi"}, 64 * MIB),
        (pod(limited("a"), container("b")), {"sizeLimit": "1Gi"}, 1024 * MIB),
        (pod(limited("a"), initContainers=[limited("s", restartPolicy="Always")]), {}, 128 * MIB),
    ],
)
def test_size_is_the_least_of_the_limits(of: Obj, source: Obj, size: int) -> None:
    assert memory_size(of, {"name": "m", "emptyDir": {"medium": "Memory", **source}}) == size


def test_volume_goes_with_what_it_holds(tmp_path: Path) -> None:
    make(tmp_path / "pod" / "volume", 4096)
    make(tmp_path / "pod" / "volume", 4096)
    (tmp_path / "pod" / "volume" / "file").write_text("text")
    remove(tmp_path / "pod")
    assert list(tmp_path.iterdir()) == []
    remove(tmp_path / "pod")
