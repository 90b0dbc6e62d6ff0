"""The steps of a Deployment's plan, each with the cases of upstream's `sync_test.go` and `rolling_test.go`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from kubelite.controllers.deployment import replica_sets as sets
from kubelite.controllers.deployment import scaling
from kubelite.controllers.deployment.draft import Draft
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from tests.unit.controllers.simulated import workload

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def deployment(replicas: int, surge: Any = 0, unavailable: Any = 0, **spec: Any) -> Obj:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    return workload(replicas=replicas, strategy=rolling, **spec)


def replica_set(age: int, size: int, available: int = 0, told: Obj | None = None) -> Obj:
    """The `age`-th youngest one; `told` is the Deployment whose sizes are noted on it."""
    created = NOW.replace(hour=23 - age)
    return {
        "metadata": {
            "name": f"web-{age}",
            "creationTimestamp": meta.format_time(created),
            "annotations": sets.size_annotations(told) if told else {},
        },
        "spec": {"replicas": size},
        "status": {"replicas": size, "availableReplicas": available},
    }


def draft_of(wanted: Obj, new: Obj | None, old: Sequence[Obj]) -> Draft:
    return Draft(wanted, new, list(old), NOW)


def sizes(draft: Draft) -> tuple[int | None, list[int]]:
    new = sets.replicas(draft.new) if draft.new is not None else None
    return new, [sets.replicas(rs) for rs in draft.old]


@pytest.mark.parametrize(
    ("before", "after", "new", "old", "expected"),
    [
        ((10,), (12,), 10, [], (12, [])),
        ((10,), (5,), 10, [], (5, [])),
        ((5,), (10,), 2, [3], (4, [6])),
        ((5,), (3,), 2, [3], (1, [2])),
        ((9,), (4,), 8, [1], (4, [0])),
        ((7,), (10,), 2, [3, 2], (3, [4, 3])),
        ((13,), (8,), 2, [8, 3], (1, [5, 2])),
        ((3,), (4,), 1, [1, 1], (2, [1, 1])),  # what is left over goes to the youngest
        ((3,), (2,), 1, [1, 1], (1, [1, 0])),  # and comes from the oldest
        ((4,), (5,), None, [2, 2], (None, [3, 2])),
        ((6,), (0,), 3, [2, 1], (0, [0, 0])),
        ((6,), (6,), 0, [0, 0], (6, [0, 0])),
        ((10, 2), (20, 2), 6, [6], (11, [11])),
        ((10, 3), (50, 6), 5, [8], (22, [34])),
        ((10,), (14,), None, [7, 3], (None, [10, 4])),
        ((2, 1, 1), (2, 1, 1), 2, [1], (2, [1])),  # all there, but none available: the old one stays
    ],
)
def test_sizes_are_shared_out_in_proportion(
    before: tuple[int, ...], after: tuple[int, ...], new: int | None, old: list[int], expected: object
) -> None:
    told = deployment(*before)
    youngest = replica_set(0, new, told=told) if new is not None else None
    others = [replica_set(age, size, told=told) for age, size in enumerate(old, 1)]
    draft = draft_of(deployment(*after), youngest, others)
    scaling.share_out(draft)
    assert sizes(draft) == expected


def test_set_that_missed_a_scaling_gets_its_share_later() -> None:
    told, wanted = deployment(3), deployment(5)
    old = [replica_set(1, 1, told=told), replica_set(2, 1, told=wanted)]
    draft = draft_of(wanted, replica_set(0, 2, told=wanted), old)
    scaling.share_out(draft)
    assert sizes(draft) == (2, [2, 1])


def test_available_new_set_of_full_size_ends_the_others() -> None:
    wanted = deployment(3)
    draft = draft_of(wanted, replica_set(0, 3, available=3, told=wanted), [replica_set(1, 2), replica_set(2, 1)])
    scaling.share_out(draft)
    assert sizes(draft) == (3, [0, 0])


@pytest.mark.parametrize(
    ("wanted", "surge", "old", "new", "expected"),
    [
        (10, 0, 10, 0, 0),
        (10, 2, 10, 0, 2),
        (10, 2, 5, 0, 7),
        (10, 2, 10, 2, 2),
        (10, 2, 2, 11, 10),  # it had more than it should
    ],
)
def test_new_set_grows_as_far_as_the_surge_allows(wanted: int, surge: int, old: int, new: int, expected: int) -> None:
    draft = draft_of(deployment(wanted, surge), replica_set(0, new), [replica_set(1, old)])
    scaling.roll(draft)
    assert sizes(draft)[0] == expected


@pytest.mark.parametrize(
    ("wanted", "unavailable", "old", "new", "available_old", "available_new", "expected"),
    [
        (10, 0, 10, 0, 10, 0, 9),  # of two zeros one gives way
        (10, 2, 10, 0, 10, 0, 8),
        (10, 2, 10, 0, 8, 0, 8),  # the unavailable ones go first
        (10, 2, 10, 0, 9, 0, 8),
        (10, 2, 8, 2, 8, 0, 8),
        (10, 2, 8, 2, 8, 2, 6),
    ],
)
def test_old_sets_shrink_as_far_as_availability_allows(
    wanted: int, unavailable: int, old: int, new: int, available_old: int, available_new: int, expected: int
) -> None:
    before = replica_set(1, old, available=available_old)
    draft = draft_of(deployment(wanted, 0, unavailable), replica_set(0, new, available=available_new), [before])
    scaling.roll(draft)
    assert sizes(draft) == (new, [expected])


@pytest.mark.parametrize(
    ("surge", "unavailable", "expected"),
    [
        (0, 0, (0, 1)),
        (0, "0%", (0, 1)),
        ("25%", "25%", (3, 2)),
        ("1%", "1%", (1, 0)),
        (5, 20, (5, 10)),
        ("100%", "100%", (10, 10)),
    ],
)
def test_surge_is_rounded_up_and_unavailability_down(surge: Any, unavailable: Any, expected: tuple[int, int]) -> None:
    wanted = deployment(10, surge, unavailable)
    assert (sets.max_surge(wanted), sets.max_unavailable(wanted)) == expected
    assert sets.max_unavailable(deployment(0, surge, unavailable)) == 0
    recreated = wanted | {"spec": wanted["spec"] | {"strategy": {"type": "Recreate"}}}
    assert (sets.max_surge(recreated), sets.max_unavailable(recreated)) == (0, 0)


@pytest.mark.parametrize(
    ("limit", "asked_and_there", "expected"),
    [
        (1, [(0, 0)] * 3, 2),
        (0, [(0, 0), (0, 1), (1, 0), (1, 1)], 1),
        (0, [(0, 0)] * 2, 2),
        (0, [(1, 1)] * 2, 0),
        (2**31 - 1, [(0, 0)] * 3, 0),
    ],
)
def test_only_empty_sets_are_deleted(limit: int, asked_and_there: list[tuple[int, int]], expected: int) -> None:
    old = [
        replica_set(age, asked) | {"status": {"replicas": there}} for age, (asked, there) in enumerate(asked_and_there)
    ]
    assert len(sets.superfluous(deployment(1, revisionHistoryLimit=limit), old)) == expected


def test_set_that_is_being_deleted_is_no_more_counted() -> None:
    going = replica_set(1, 0)
    going["metadata"]["deletionTimestamp"] = meta.format_time(NOW)
    assert sets.superfluous(deployment(1, revisionHistoryLimit=0), [going]) == []
