"""Which pods take more of the disk than they may, in upstream's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelite.node.eviction import DiskUse, bytes_in, is_limited, overrun
from kubelite.node.view import Ending
from kubelite.objects.meta import Obj
from tests.unit.node.pods import container, pod

MIB = 1 << 20


def limited(name: str = "web") -> Obj:
    return container(name, resources={"limits": {"ephemeral-storage": "1Mi"}})


def scratch(**source: str) -> Obj:
    return {"name": "scratch", "emptyDir": source}


@pytest.mark.parametrize(
    ("of", "used", "message"),
    [
        (
            pod(volumes=[scratch(sizeLimit="5Mi")]),
            DiskUse({"scratch": 5 * MIB + 1}),
            'Usage of EmptyDir volume "scratch" exceeds the limit "5Mi". ',
        ),
        (pod(volumes=[scratch(sizeLimit="5Mi")]), DiskUse({"scratch": 5 * MIB}), ""),
        (
            pod(limited(), volumes=[scratch()]),
            DiskUse({"scratch": MIB}, {"web": 1}),
            "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ",
        ),
        (pod(limited(), volumes=[scratch(medium="Memory")]), DiskUse({"scratch": 9 * MIB}, {"web": 1}), ""),
        (
            pod(limited("a"), limited("b")),
            DiskUse({}, {"a": MIB + 1, "b": 0}),
            'Container a exceeded its local ephemeral storage limit "1Mi". ',
        ),
    ],
)
def test_first_overrun_is_told(of: Obj, used: DiskUse, message: str) -> None:
    assert is_limited(of)
    assert overrun(of, used) == (Ending("Evicted", message, 1) if message else None)


def test_pods_without_limits_and_critical_ones_are_not_measured() -> None:
    assert not is_limited(pod(volumes=[scratch()]))
    assert not is_limited(pod(limited(), priority=2_000_001_000))


def test_disk_use_is_that_of_the_blocks_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(b"x" * MIB)
    (tmp_path / "link").symlink_to("below")
    assert MIB <= bytes_in(tmp_path) < 2 * MIB
