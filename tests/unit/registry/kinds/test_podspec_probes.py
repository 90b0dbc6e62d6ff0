"""What is wrong with probes and hooks: each row changes a good pod and says what the API server answers."""

from __future__ import annotations

import pytest

from kubelite.objects.meta import Obj
from tests.unit.registry.kinds.podspecs import PORT_RANGE, C, errors_of, web

ONE_HANDLER = "may not specify more than 1 handler type"
SLEEP = (
    "must be greater than 0 and less than terminationGracePeriodSeconds (30). "
    "Enable AllowPodLifecycleSleepActionZeroValue feature gate for zero sleep."
)


PROBES = [
    (web(livenessProbe={}), [f"{C}.livenessProbe: Required value: must specify a handler type"]),
    (
        web(livenessProbe={"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}),
        [f"{C}.livenessProbe.tcpSocket: Forbidden: {ONE_HANDLER}"],
    ),
    (
        web(livenessProbe={"tcpSocket": {"port": 1}, "successThreshold": 2}),
        [f"{C}.livenessProbe.successThreshold: Invalid value: 2: must be 1"],
    ),
    (web(readinessProbe={"tcpSocket": {"port": 1}, "successThreshold": 2}), []),
    (
        web(readinessProbe={"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 1}),
        [f"{C}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: must not be set for readinessProbes"],
    ),
    (
        web(startupProbe={"tcpSocket": {"port": 1}, "initialDelaySeconds": -1}),
        [f"{C}.startupProbe.initialDelaySeconds: Invalid value: -1: must be greater than or equal to 0"],
    ),
    (
        web(livenessProbe={"httpGet": {"port": 0}}),
        [f"{C}.livenessProbe.httpGet.port: Invalid value: 0: {PORT_RANGE}"],
    ),
    (
        web(livenessProbe={"httpGet": {"port": 80, "scheme": "http"}}),
        [
            f'{C}.livenessProbe.httpGet.scheme: Unsupported value: "http": supported values: "HTTP", "HTTPS"',
        ],
    ),
    (web(livenessProbe={"exec": {}}), [f"{C}.livenessProbe.exec.command: Required value"]),
    (
        web(lifecycle={"preStop": {}}),
        [f"{C}.lifecycle.preStop: Required value: must specify a handler type"],
    ),
    (
        web(lifecycle={"preStop": {"sleep": {"seconds": 31}}}),
        [f"{C}.lifecycle.preStop.sleep: Invalid value: 31: {SLEEP}"],
    ),
    (
        web(lifecycle={"preStop": {"sleep": {"seconds": 0}}}),
        [f"{C}.lifecycle.preStop.sleep: Invalid value: 0: {SLEEP}"],
    ),
    (web(lifecycle={"preStop": {"sleep": {"seconds": 30}}}), []),
]


@pytest.mark.parametrize(("given", "expected"), PROBES)
def test_wrong_pod_is_refused_in_upstreams_words(given: Obj, expected: list[str]) -> None:
    assert errors_of(given) == expected
