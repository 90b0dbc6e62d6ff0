"""What the engine's readings say of a container's use."""

from __future__ import annotations

from collections.abc import Mapping

from kubelite.node.runtime import NoSuchContainer
from kubelite.node.usage import Reading, Usages, reading_of, usage
from kubelite.objects.meta import Obj
from tests.unit.node.pods import UID, pod


def test_reading_leaves_out_inactive_page_cache_of_both_cgroup_versions() -> None:
    cpu = {"cpu_usage": {"total_usage": 5}}
    for name in ("total_inactive_file", "inactive_file"):
        stats = {"cpu_stats": cpu, "memory_stats": {"usage": 100, "stats": {name: 30}}}
        assert reading_of(stats, 1.0) == Reading(5, 70, 1.0)
    assert reading_of({}, 1.0) == Reading(0, 0, 1.0)


def test_usage_is_the_difference_over_time() -> None:
    assert usage(Reading(1_000, 1, 1.0), Reading(100_001_000, 7, 1.2))[0] in range(499_999_000, 500_001_000)
    assert usage(Reading(9, 1, 1.0), Reading(3, 7, 1.2)) == (0, 7)


class Engine:
    async def reading(self, container_id: str) -> Reading:
        if container_id == "gone":
            raise NoSuchContainer(container_id)
        return Reading(0, 8, 0.0)

    def running_containers(self, pod: Obj) -> Mapping[str, str]:
        return {"web": "1", "side": "gone"}


async def test_container_that_ends_meanwhile_is_left_out() -> None:
    engine = Engine()
    assert await Usages(engine, engine).of([pod()]) == {UID: {"web": (0, 8)}}
