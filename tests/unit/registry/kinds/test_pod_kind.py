"""The declaration of Pod: first status, selectable fields, grace."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.kinds.pod import POD


def pod(status: Obj | None = None, **spec: Any) -> Obj:
    made = {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "web", "image": "httpd:2.4"}]} | spec,
        "status": status or {},
    }
    POD.default(made)
    return made


def test_new_pod_is_pending_with_its_qos_class() -> None:
    assert POD.initial_status(pod()) == {"phase": "Pending", "qosClass": "BestEffort"}


def test_gated_pod_says_that_it_waits() -> None:
    (condition,) = POD.initial_status(pod(schedulingGates=[{"name": "g"}]))["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("PodScheduled", "False", "SchedulingGated")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("spec.nodeName", "vm"),
        ("spec.restartPolicy", "Always"),
        ("spec.schedulerName", "default-scheduler"),
        ("spec.serviceAccountName", "default"),
        ("spec.hostNetwork", "false"),
        ("status.phase", "Running"),
        ("status.podIP", "172.30.0.7"),
        ("status.podIPs", "172.30.0.7"),
        ("status.nominatedNodeName", ""),
    ],
)
def test_field_can_be_selected(field: str, value: str) -> None:
    status = {"phase": "Running", "podIP": "172.30.0.7", "podIPs": [{"ip": "172.30.0.7"}]}
    made = pod(status, nodeName="vm", serviceAccountName="default")
    assert POD.fields[field](made) == value


@pytest.mark.parametrize(("seconds", "grace"), [(None, 30), (0, 0), (7, 7), (-3, 1)])
def test_grace_is_the_pods_own(seconds: int | None, grace: int) -> None:
    assert POD.grace is not None
    assert POD.grace(pod(terminationGracePeriodSeconds=seconds)) == grace
