"""What is wrong with amounts of resources, what class of service they make, and how they are rounded."""

from __future__ import annotations

import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.kinds.podspec_resources import qos_class
from tests.unit.registry.kinds.podspecs import C, errors_of, web


def spec(*resources: dict[str, dict[str, str]], init: bool = False) -> dict[str, object]:
    containers = [{"name": f"c{index}", "resources": entry} for index, entry in enumerate(resources)]
    return {"initContainers": containers[:1], "containers": containers[1:]} if init else {"containers": containers}


FULL = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (spec({}), "BestEffort"),
        (spec({}, {}), "BestEffort"),
        (spec({"requests": {"ephemeral-storage": "1Gi"}}), "BestEffort"),
        (spec({"requests": {"cpu": "0"}}), "BestEffort"),
        (spec({"requests": FULL, "limits": FULL}), "Guaranteed"),
        (spec({"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": FULL}), "Guaranteed"),
        (spec({"requests": FULL, "limits": FULL}, {}), "Burstable"),
        (spec({}, {"requests": FULL, "limits": FULL}, init=True), "Burstable"),
        (spec({"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}), "Burstable"),
        (spec({"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": FULL}), "Burstable"),
        (spec({"requests": {"memory": "1Mi"}}), "Burstable"),
    ],
)
def test_qos_class_follows_requests_and_limits(pod: dict[str, object], expected: str) -> None:
    assert qos_class(pod) == expected


RESOURCES = [
    (
        web(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}),
        [f'{C}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ),
    (
        web(resources={"requests": {"cpu": "-1"}}),
        [f'{C}.resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0'],
    ),
    (
        web(resources={"requests": {"cores": "1"}}),
        [
            f'{C}.resources.requests[cores]: Invalid value: "cores": '
            "must be a standard resource type or fully qualified",
            f'{C}.resources.requests[cores]: Invalid value: "cores": must be a standard resource for containers',
        ],
    ),
    (
        web(resources={"requests": {"example.com/gpu": "1"}}),
        [f"{C}.resources.limits: Required value: Limit must be set for non overcommitable resources"],
    ),
    (
        web(resources={"limits": {"example.com/gpu": "1500m"}, "requests": {"example.com/gpu": "1500m"}}),
        [
            f'{C}.resources.limits[example.com/gpu]: Invalid value: "1500m": must be an integer',
            f'{C}.resources.requests[example.com/gpu]: Invalid value: "1500m": must be an integer',
        ],
    ),
]


@pytest.mark.parametrize(("given", "expected"), RESOURCES)
def test_wrong_pod_is_refused_in_upstreams_words(given: Obj, expected: list[str]) -> None:
    assert errors_of(given) == expected


def test_bad_quantity_is_named() -> None:
    (error,) = errors_of(web(resources={"limits": {"memory": "1GB"}, "requests": {"memory": "1"}}))
    assert error.startswith(f'{C}.resources.limits[memory]: Invalid value: "1GB": quantities must match')
