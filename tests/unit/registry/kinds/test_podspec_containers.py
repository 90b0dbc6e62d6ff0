"""What is wrong with containers and their ports: each row changes a good pod and says what the API server answers."""

from __future__ import annotations

import pytest

from kubelite.objects.meta import Obj
from tests.unit.registry.kinds.podspecs import LABEL, PORT_RANGE, C, errors_of, pod, web

CONTAINERS = [
    (pod(containers=[]), ["spec.containers: Required value"]),
    (pod(containers=[{"image": "i"}]), [f"{C}.name: Required value"]),
    (pod(containers=[{"name": "c"}]), [f"{C}.image: Required value"]),
    (pod(containers=[{"name": "Web", "image": "i"}]), [f'{C}.name: Invalid value: "Web": {LABEL}']),
    (web(image=" httpd "), [f'{C}.image: Invalid value: " httpd ": must not have leading or trailing whitespace']),
    (
        pod(containers=[{"name": "a", "image": "i"}, {"name": "a", "image": "i"}]),
        ['spec.containers[1].name: Duplicate value: "a"'],
    ),
    (
        web(imagePullPolicy="always"),
        [
            f'{C}.imagePullPolicy: Unsupported value: "always": supported values: "Always", "IfNotPresent", "Never"',
        ],
    ),
    (
        web(terminationMessagePolicy="Log"),
        [
            f'{C}.terminationMessagePolicy: Unsupported value: "Log": '
            'supported values: "File", "FallbackToLogsOnError"',
        ],
    ),
    (web(restartPolicy="Always"), [f"{C}.restartPolicy: Forbidden: may not be set for non-init containers"]),
    (
        pod(initContainers=[{"name": "web", "image": "i"}]),
        ['spec.initContainers[0].name: Duplicate value: "web"'],
    ),
    (
        pod(initContainers=[{"name": "i", "image": "i", "restartPolicy": "Never"}]),
        ['spec.initContainers[0].restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ),
    (
        pod(initContainers=[{"name": "i", "image": "i", "livenessProbe": {"exec": {"command": ["a"]}}}]),
        [
            "spec.initContainers[0].livenessProbe: Forbidden: "
            "may not be set for init containers without restartPolicy=Always"
        ],
    ),
    (
        pod(
            initContainers=[
                {
                    "name": "i",
                    "image": "i",
                    "restartPolicy": "Always",
                    "readinessProbe": {"exec": {"command": ["a"]}},
                }
            ]
        ),
        [],
    ),
    (
        pod(ephemeralContainers=[{"name": "d", "image": "i"}]),
        ["spec.ephemeralContainers: Forbidden: cannot be set on create"],
    ),
]


PORTS = [
    (web(ports=[{"containerPort": 70000}]), [f"{C}.ports[0].containerPort: Invalid value: 70000: {PORT_RANGE}"]),
    (web(ports=[{}]), [f"{C}.ports[0].containerPort: Required value"]),
    (
        web(ports=[{"containerPort": 80, "protocol": "tcp"}]),
        [f'{C}.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"'],
    ),
    (
        web(ports=[{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]),
        [f'{C}.ports[1].name: Duplicate value: "a"'],
    ),
    (
        web(ports=[{"containerPort": 80, "name": "this-name-is-too-long"}]),
        [f'{C}.ports[0].name: Invalid value: "this-name-is-too-long": must be no more than 15 characters'],
    ),
    (
        web(ports=[{"containerPort": 80, "hostPort": 1}, {"containerPort": 81, "hostPort": 1}]),
        [f'{C}.ports[1].hostPort: Duplicate value: "TCP//1"'],
    ),
    (
        web(ports=[{"containerPort": 80, "hostPort": 99999}]),
        [f"{C}.ports[0].hostPort: Invalid value: 99999: {PORT_RANGE}"],
    ),
    (
        pod(
            hostNetwork=True,
            containers=[{"name": "a", "image": "i", "ports": [{"containerPort": 1, "hostPort": 2}]}],
        ),
        [f"{C}.ports[0].hostPort: Invalid value: 2: must match `containerPort` when `hostNetwork` is true"],
    ),
]


@pytest.mark.parametrize(("given", "expected"), [*CONTAINERS, *PORTS])
def test_wrong_pod_is_refused_in_upstreams_words(given: Obj, expected: list[str]) -> None:
    assert errors_of(given) == expected
