"""LimitRanges: their own defaults and rules, and what they do to pods and claims."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.limitrange_admission import ANNOTATION
from kubelite.registry.registry import Registry

NAMESPACE = "default"


def limit(registry: Registry, type: str, **lists: Obj) -> Obj:
    spec = {"limits": [{"type": type, **lists}]}
    return registry.create("limitranges", {"metadata": {"name": "bounds", "namespace": NAMESPACE}, "spec": spec})


def create_pod(registry: Registry, *resources: Obj, init: Obj | None = None) -> Obj:
    containers = [{"name": f"c{i}", "image": "i", "resources": entry} for i, entry in enumerate(resources)]
    spec: Obj = {"containers": containers}
    if init is not None:
        spec["initContainers"] = [{"name": "init", "image": "i", "resources": init}]
    return registry.create("pods", {"metadata": {"name": "web", "namespace": NAMESPACE}, "spec": spec})


def claim(storage: str) -> Obj:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}}
    return {"metadata": {"name": "data", "namespace": NAMESPACE}, "spec": spec}


@pytest.mark.parametrize(
    ("lists", "default", "request_"),
    [
        ({"max": {"cpu": "2"}}, {"cpu": "2"}, {"cpu": "2"}),
        ({"default": {"cpu": "1"}}, {"cpu": "1"}, {"cpu": "1"}),
        ({"max": {"cpu": "2"}, "default": {"cpu": "1"}}, {"cpu": "1"}, {"cpu": "1"}),
        ({"min": {"cpu": "1"}}, None, {"cpu": "1"}),
        ({"max": {"cpu": "2"}, "defaultRequest": {"cpu": "500m"}}, {"cpu": "2"}, {"cpu": "500m"}),
    ],
)
def test_what_a_limit_of_containers_leaves_open_follows_from_the_rest(
    registry: Registry, lists: dict[str, Any], default: Obj | None, request_: Obj | None
) -> None:
    (item,) = limit(registry, "Container", **lists)["spec"]["limits"]
    assert (item.get("default"), item.get("defaultRequest")) == (default, request_)


def test_containers_get_what_they_lack(registry: Registry) -> None:
    limit(registry, "Container", default={"cpu": "1", "memory": "1Gi"}, defaultRequest={"cpu": "500m", "memory": "1Gi"})
    pod = create_pod(registry, {"requests": {"cpu": "200m"}}, {"limits": {"memory": "2Gi"}}, init={})
    first, second = (container["resources"] for container in pod["spec"]["containers"])
    assert first == {"requests": {"cpu": "200m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    assert second == {"requests": {"cpu": "500m", "memory": "2Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}}
    assert pod["spec"]["initContainers"][0]["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}
    assert meta.annotations(pod)[ANNOTATION] == (
        "LimitRanger plugin set: memory request for container c0; cpu, memory limit for container c0; "
        "cpu request for container c1; cpu limit for container c1; "
        "cpu, memory request for init container init; cpu, memory limit for init container init"
    )


def test_the_quality_of_service_follows_the_defaults(registry: Registry) -> None:
    limit(registry, "Container", default={"cpu": "1", "memory": "1Gi"})
    assert create_pod(registry, {})["status"]["qosClass"] == "Guaranteed"


CPU = {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}


@pytest.mark.parametrize(
    ("type", "lists", "resources", "message"),
    [
        ("Container", {"max": {"cpu": "1500m"}}, CPU, "maximum cpu usage per Container is 1500m, but limit is 2"),
        ("Container", {"min": {"cpu": "1500m"}}, CPU, "minimum cpu usage per Container is 1500m, but request is 1"),
        ("Pod", {"max": {"cpu": "3"}}, CPU, "maximum cpu usage per Pod is 3, but limit is 4"),
        ("Pod", {"min": {"cpu": "3"}}, CPU, "minimum cpu usage per Pod is 3, but request is 2"),
        ("Pod", {"max": {"memory": "1Gi"}}, CPU, "maximum memory usage per Pod is 1Gi.  No limit is specified"),
        ("Pod", {"min": {"memory": "1Gi"}}, CPU, "minimum memory usage per Pod is 1Gi.  No request is specified"),
        (
            "Container",
            {"maxLimitRequestRatio": {"cpu": "1500m"}},
            CPU,
            "cpu max limit to request ratio per Container is 1500m, but provided ratio is 2.000000",
        ),
        (
            "Container",
            {"maxLimitRequestRatio": {"memory": "2"}},
            CPU,
            "memory max limit to request ratio per Container is 2, but no request is specified or request is 0",
        ),
    ],
)
def test_pods_out_of_bounds_are_refused(
    registry: Registry, type: str, lists: dict[str, Any], resources: Obj, message: str
) -> None:
    limit(registry, type, **lists)
    with pytest.raises(StatusError) as caught:
        create_pod(registry, resources, resources)
    assert (caught.value.code, caught.value.message) == (403, f'pods "web" is forbidden: {message}')


def test_everything_out_of_bounds_is_told_once(registry: Registry) -> None:
    limit(registry, "Container", max={"cpu": "1"}, maxLimitRequestRatio={"cpu": "1"})
    with pytest.raises(StatusError) as caught:
        create_pod(registry, CPU, CPU)
    assert caught.value.message.endswith(
        "forbidden: [maximum cpu usage per Container is 1, but limit is 2, "
        "cpu max limit to request ratio per Container is 1, but provided ratio is 2.000000]"
    )


def test_a_pod_is_its_containers_with_its_sidecars(registry: Registry) -> None:
    """What only one of them asks for counts too."""
    limit(registry, "Pod", max={"cpu": "2500m"})
    one = {"name": "one", "image": "i", "resources": {"limits": {"cpu": "1"}}}
    sidecar = {"name": "side", "image": "i", "restartPolicy": "Always", "resources": {"limits": {"cpu": "2"}}}
    spec = {"containers": [one, {"name": "two", "image": "i"}], "initContainers": [sidecar]}
    with pytest.raises(StatusError, match="maximum cpu usage per Pod is 2500m, but limit is 3"):
        registry.create("pods", {"metadata": {"name": "web", "namespace": "default"}, "spec": spec})
    del sidecar["restartPolicy"]
    registry.create("pods", {"metadata": {"name": "web", "namespace": "default"}, "spec": spec})


def test_pods_within_bounds_are_let_in(registry: Registry) -> None:
    limit(registry, "Container", min={"cpu": "1"}, max={"cpu": "2"}, maxLimitRequestRatio={"cpu": "2"})
    create_pod(registry, CPU)


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("3Gi", "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"),
        ("10Mi", "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 10Mi"),
    ],
)
def test_claims_out_of_bounds_are_refused(registry: Registry, storage: str, message: str) -> None:
    limit(registry, "PersistentVolumeClaim", min={"storage": "1Gi"}, max={"storage": "2Gi"})
    with pytest.raises(StatusError) as caught:
        registry.create("persistentvolumeclaims", claim(storage))
    assert caught.value.message == f'persistentvolumeclaims "data" is forbidden: {message}'
    registry.create("persistentvolumeclaims", claim("2Gi"))


@pytest.mark.parametrize(
    ("type", "lists", "message"),
    [
        ("Node", {}, 'spec.limits[0].type: Invalid value: "Node": must be a standard limit type or fully qualified'),
        (
            "Pod",
            {"default": {"cpu": "1"}},
            "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
        ),
        (
            "PersistentVolumeClaim",
            {},
            "spec.limits[0].limits: Required value: either minimum or maximum storage value is required, "
            "but neither was provided",
        ),
        (
            "Pod",
            {"min": {"cpu": "2"}, "max": {"cpu": "1"}},
            'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
        ),
        (
            "Container",
            {"default": {"cpu": "1"}, "defaultRequest": {"cpu": "2"}},
            'spec.limits[0].defaultRequest[cpu]: Invalid value: "2": '
            "default request value 2 is greater than default limit value 1",
        ),
        (
            "Pod",
            {"maxLimitRequestRatio": {"cpu": "500m"}},
            'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1',
        ),
        (
            "Pod",
            {"max": {"storage": "1"}},
            'spec.limits[0].max[storage]: Invalid value: "storage": must be a standard resource for containers',
        ),
    ],
)
def test_a_wrong_limit_range_is_refused(registry: Registry, type: str, lists: dict[str, Any], message: str) -> None:
    with pytest.raises(StatusError) as caught:
        limit(registry, type, **lists)
    assert caught.value.message == f'LimitRange "bounds" is invalid: {message}'
