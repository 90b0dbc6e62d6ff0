"""What pods of an operating system may not have."""

from __future__ import annotations

import pytest

from kubelite.objects.meta import Obj
from tests.unit.registry.kinds.podspecs import C, errors_of, pod, web

WINDOWS: list[tuple[Obj, list[str]]] = [
    (pod(os={"name": "linux"}), []),
    (pod(os={"name": "windows"}, hostNetwork=True, securityContext={"windowsOptions": {"runAsUserName": "u"}}), []),
    (
        pod(os={"name": "linux"}, securityContext={"windowsOptions": {"runAsUserName": "u"}}),
        ["spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod"],
    ),
    (
        web(securityContext={"windowsOptions": {"hostProcess": True}}),
        ["spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers"],
    ),
    (
        pod(
            containers=[
                {"name": "a", "image": "i", "securityContext": {"windowsOptions": {"hostProcess": True}}},
                {"name": "b", "image": "i"},
            ],
            hostNetwork=True,
        ),
        [
            'spec: Invalid value: "": If pod contains any hostProcess containers then all containers must be '
            "HostProcess containers"
        ],
    ),
]


@pytest.mark.parametrize(("given", "expected"), WINDOWS)
def test_operating_systems_are_not_mixed(given: Obj, expected: list[str]) -> None:
    assert errors_of(given) == expected


def test_windows_pod_has_nothing_of_linux() -> None:
    given = pod(os={"name": "windows"}, hostPID=True, securityContext={"fsGroup": 1})
    given["spec"]["containers"][0]["securityContext"] = {"privileged": False}
    assert errors_of(given) == [
        f"{path}: Forbidden: cannot be set for a windows pod"
        for path in ("spec.hostPID", "spec.securityContext.fsGroup", f"{C}.securityContext.privileged")
    ]
