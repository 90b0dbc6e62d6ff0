"""What the engine's readings say of a container's use."""

from __future__ import annotations

from collections.abc import Mapping

from kubelite.node.runtime import NoSuchContainer
from kubelite.node.usage import Reading, Usage, Usages, reading_of, usage
from kubelite.objects.meta import Obj
from tests.unit.node.pods import UID, pod


def test_reading_leaves_out_inactive_page_cache_of_both_cgroup_versions() -> None:
    cpu = {"cpu_usage": {"total_usage": 5}}
    for name in ("total_inactive_file", "inactive_file"):
        stats = {"cpu_stats": cpu, "memory_stats": {"usage": 100, "stats": {name: 30}}}
        assert reading_of(stats, 1.0) == Reading(5, 70, 1.0, 1.0)
    assert reading_of({}, 1.0) == Reading(0, 0, 1.0, 1.0)
    assert reading_of({"read": "1970-01-01T00:00:02.5Z"}, 9.0) == Reading(0, 0, 2.5, 9.0)


def test_usage_is_the_difference_over_time() -> None:
    found = usage(Reading(1_000, 1, 11.0, 1.0), Reading(100_001_000, 7, 13.0, 3.0), 7.0)
    assert found == Usage(cpu=50_000_000, memory=7, window=2.0, age=4.0)
    assert usage(Reading(9, 1, 1.0, 1.0), Reading(3, 7, 1.2, 1.2), 1.2).cpu == 0


class Engine:
    """Its containers use one core; time goes on only when a test says so, and a little with each reading."""

    def __init__(self) -> None:
        self.at = 100.0
        self.readings = 0

    async def reading(self, container_id: str) -> Reading:
        if container_id == "gone":
            raise NoSuchContainer(container_id)
        self.readings += 1
        self.at += 0.25
        return Reading(int(self.at * 1e9), 8, self.at, self.at)

    def running_containers(self, pod: Obj) -> Mapping[str, str]:
        return {"web": "1", "side": "gone"}


async def test_container_that_ends_meanwhile_is_left_out() -> None:
    engine = Engine()
    assert await Usages(engine, engine, lambda: engine.at).of([pod()]) == {UID: {"web": Usage(10**9, 8, 0.25)}}


async def test_what_was_measured_lately_is_told_again_and_then_measured_against() -> None:
    engine = Engine()
    usages = Usages(engine, engine, lambda: engine.at)
    await usages.of([pod()])
    engine.at += 10
    assert (await usages.of([pod()]))[UID]["web"] == Usage(10**9, 8, 0.25, 10)
    assert engine.readings == 2
    engine.at += 6
    assert (await usages.of([pod()]))[UID]["web"] == Usage(10**9, 8, 16.25)
    assert engine.readings == 3
    engine.at += 100
    assert (await usages.of([pod()]))[UID]["web"].window == 0.25
