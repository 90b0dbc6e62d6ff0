"""What is let through with a warning."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.kinds.deployment import DEPLOYMENT
from kubelite.registry.kinds.podspec_warnings import pod_warnings, template_warnings

C = "spec.containers[0]"
NULL = "a null labelSelector results in matching no pod"


def pod(name: str = "p", annotations: Obj | None = None, **spec: Any) -> Obj:
    return {"metadata": {"name": name, "annotations": annotations or {}}, "spec": {"containers": []} | spec}


def web(**fields: Any) -> Obj:
    return pod(containers=[{"name": "web", "image": "i", **fields}])


def ports(*given: Obj) -> Obj:
    return web(ports=[{"containerPort": 80, "protocol": "TCP", **port} for port in given])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pod(), []),
        (
            pod("a.b"),
            [
                "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; "
                "a DNS label is recommended: [must not contain dots]"
            ],
        ),
        (
            web(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
            [f'{C}.env[1]: hides previous definition of "A", which may be dropped when using apply'],
        ),
        (web(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "$(A):2"}]), []),
        (
            pod(nodeSelector={"beta.kubernetes.io/os": "linux"}),
            ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
        ),
        (
            pod(annotations={"seccomp.security.alpha.kubernetes.io/pod": "x"}),
            [
                "metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: "
                'non-functional in v1.27+; use the "seccompProfile" field instead'
            ],
        ),
        (
            pod(volumes=[{"name": "v", "gitRepo": {"repository": "r"}}]),
            ["spec.volumes[0].gitRepo: deprecated in v1.11"],
        ),
        (
            pod(hostAliases=[{"ip": "1.2.3.4"}, {"ip": "1.2.3.4"}]),
            ['spec.hostAliases[1].ip: duplicate ip "1.2.3.4"'],
        ),
        (pod(imagePullSecrets=[{}]), ['spec.imagePullSecrets[0].name: invalid empty name ""']),
        (
            pod(terminationGracePeriodSeconds=-1),
            ["spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"],
        ),
        (
            web(resources={"limits": {"memory": "100m"}}),
            [f'{C}.resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer'],
        ),
        (
            pod(topologySpreadConstraints=[{"topologyKey": "zone"}]),
            [f"spec.topologySpreadConstraints[0].labelSelector: {NULL}"],
        ),
        (
            pod(affinity={"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}}),
            [
                "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0]"
                f".podAffinityTerm.labelSelector: {NULL}"
            ],
        ),
        (ports({}, {}), [f"{C}.ports[1]: duplicate port definition with {C}.ports[0]"]),
        (ports({}, {"hostPort": 80}), [f"{C}.ports[1]: overlapping port definition with {C}.ports[0]"]),
        (
            ports({"hostPort": 80}, {"hostPort": 80, "hostIP": "10.0.0.1"}),
            [f"{C}.ports[1]: dangerously ambiguous port definition with {C}.ports[0]"],
        ),
        (ports({}, {"protocol": "UDP"}), []),
    ],
)
def test_pod_is_warned_about(given: Obj, expected: list[str]) -> None:
    assert pod_warnings(given) == expected


def test_paths_of_a_template_lead_through_it() -> None:
    key = "container.apparmor.security.beta.kubernetes.io/web"
    template = pod(annotations={key: "unconfined"}, containers=[{"name": "web", "image": "i"}])
    assert template_warnings(template) == [
        f'spec.template.metadata.annotations[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead'
    ]


def test_deployment_is_warned_about_a_name_that_no_host_can_have() -> None:
    deployment: Obj = {"metadata": {"name": "a.b"}}
    DEPLOYMENT.default(deployment)
    assert DEPLOYMENT.warnings is not None
    assert DEPLOYMENT.warnings(deployment) == [
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; "
        "a DNS label is recommended: [must not contain dots]"
    ]
