"""What is wrong with security contexts: each row changes a good pod and says what the API server answers."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.objects.meta import Obj
from tests.unit.registry.kinds.podspecs import C, errors_of, pod, web

S = "spec.securityContext"
USER_RANGE = "must be between 0 and 2147483647, inclusive"
SYSCTL = (
    "must have at most 253 characters and match regex "
    r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
)
PROFILES = '"Localhost", "RuntimeDefault", "Unconfined"'


def pod_wide(**context: Any) -> Obj:
    return pod(securityContext=context)


def own(**context: Any) -> Obj:
    return web(securityContext=context)


CONTEXTS = [
    (pod_wide(fsGroup=-1), [f"{S}.fsGroup: Invalid value: -1: {USER_RANGE}"]),
    (pod_wide(runAsGroup=2**31), [f"{S}.runAsGroup: Invalid value: 2147483648: {USER_RANGE}"]),
    (pod_wide(supplementalGroups=[1, -2]), [f"{S}.supplementalGroups[1]: Invalid value: -2: {USER_RANGE}"]),
    (
        pod_wide(fsGroupChangePolicy="Never"),
        [f'{S}.fsGroupChangePolicy: Unsupported value: "Never": supported values: "Always", "OnRootMismatch"'],
    ),
    (
        pod(hostPID=True, shareProcessNamespace=True),
        [f"{S}.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled"],
    ),
    (pod_wide(sysctls=[{"name": "", "value": "1"}]), [f"{S}.sysctls[0].name: Required value"]),
    (
        pod_wide(sysctls=[{"name": "Kernel.Shm", "value": "1"}]),
        [f'{S}.sysctls[0].name: Invalid value: "Kernel.Shm": {SYSCTL}'],
    ),
    (
        pod_wide(sysctls=[{"name": "net/ipv4.x", "value": "1"}, {"name": "net/ipv4.x", "value": "2"}]),
        [f'{S}.sysctls[1].name: Duplicate value: "net/ipv4.x"'],
    ),
    (
        pod(hostNetwork=True, securityContext={"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}),
        [
            f'{S}.sysctls[0].name: Invalid value: "net.ipv4.tcp_syncookies": '
            "may not be specified when 'hostNetwork' is true"
        ],
    ),
    (
        pod(hostIPC=True, securityContext={"sysctls": [{"name": "kernel.shm_rmid_forced", "value": "1"}]}),
        [
            f'{S}.sysctls[0].name: Invalid value: "kernel.shm_rmid_forced": '
            "may not be specified when 'hostIPC' is true"
        ],
    ),
    (own(runAsUser=-5), [f"{C}.securityContext.runAsUser: Invalid value: -5: {USER_RANGE}"]),
    (
        own(procMount="Open"),
        [],  # put back to Default: other ways are a feature that is off
    ),
    (
        own(seccompProfile={}),
        [f"{C}.securityContext.seccompProfile.type: Required value: type is required when seccompProfile is set"],
    ),
    (
        own(seccompProfile={"type": "Docker"}),
        [f'{C}.securityContext.seccompProfile.type: Unsupported value: "Docker": supported values: {PROFILES}'],
    ),
    (
        own(seccompProfile={"type": "Localhost", "localhostProfile": "../x"}),
        [f"{C}.securityContext.seccompProfile.localhostProfile: Invalid value: \"../x\": must not contain '..'"],
    ),
    (
        own(appArmorProfile={"type": "Docker"}),
        [f'{C}.securityContext.appArmorProfile.type: Unsupported value: "Docker": supported values: {PROFILES}'],
    ),
    (
        own(appArmorProfile={"type": "RuntimeDefault", "localhostProfile": "x"}),
        [
            f'{C}.securityContext.appArmorProfile.localhostProfile: Invalid value: "x": '
            "can only be set when AppArmor type is Localhost"
        ],
    ),
    (
        own(appArmorProfile={"type": "Localhost", "localhostProfile": ""}),
        [
            f"{C}.securityContext.appArmorProfile.localhostProfile: Required value: "
            "must be set when AppArmor type is Localhost"
        ],
    ),
    (
        own(appArmorProfile={"type": "Localhost", "localhostProfile": " x"}),
        [
            f'{C}.securityContext.appArmorProfile.localhostProfile: Invalid value: " x": '
            "must not be padded with whitespace"
        ],
    ),
    (
        own(appArmorProfile={"type": "Localhost", "localhostProfile": "x" * 4096}),
        [f"{C}.securityContext.appArmorProfile.localhostProfile: Too long: may not be more than 4095 bytes"],
    ),
    (
        pod(securityContext={"runAsUser": -1}),
        ["spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
    ),
    (
        pod(securityContext={"seccompProfile": {"type": "Localhost"}}),
        [
            "spec.securityContext.seccompProfile.localhostProfile: Required value: "
            "must be set when seccomp type is Localhost"
        ],
    ),
]


@pytest.mark.parametrize(("given", "expected"), CONTEXTS)
def test_wrong_pod_is_refused_in_upstreams_words(given: Obj, expected: list[str]) -> None:
    assert errors_of(given) == expected


@pytest.mark.parametrize("freedom", [{"privileged": True}, {"capabilities": {"add": ["CAP_SYS_ADMIN"]}}])
def test_escalation_is_not_forbidden_where_nothing_is(freedom: Obj) -> None:
    (error,) = errors_of(own(allowPrivilegeEscalation=False, **freedom))
    assert "cannot set `allowPrivilegeEscalation` to false and `" in error
