"""The QoS class and rounding."""

from __future__ import annotations

import pytest

from kubelite.registry.kinds.podspec_resources import qos_class


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
