"""What is wrong with annotations that mean something on a pod."""

from __future__ import annotations

import pytest

from tests.unit.registry.kinds.podspecs import errors_of, pod

AT = "metadata.annotations"
APPARMOR = "container.apparmor.security.beta.kubernetes.io"
SECCOMP = "container.seccomp.security.alpha.kubernetes.io"


@pytest.mark.parametrize(("cost", "fine"), [("5", True), ("-5", True), ("0", True), ("5.5", False), ("05", False)])
def test_deletion_cost_is_a_number(cost: str, fine: bool) -> None:
    made = pod()
    made["metadata"]["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": cost}
    expected = (
        f'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "{cost}": '
        "must be a 32bit integer"
    )
    assert errors_of(made) == ([] if fine else [expected])


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (f"{APPARMOR}/web", "runtime/default", []),
        (f"{APPARMOR}/web", "localhost/mine", []),
        (
            f"{APPARMOR}/web",
            "mine",
            [f'{AT}[{APPARMOR}/web]: Invalid value: "mine": invalid AppArmor profile name: "mine"'],
        ),
        (f"{APPARMOR}/no", "unconfined", [f'{AT}[{APPARMOR}/no]: Invalid value: "no": container not found']),
        (f"{SECCOMP}/any", "docker/default", []),
        (
            f"{SECCOMP}/any",
            "localhost//abs",
            [f'{AT}.{SECCOMP}/any: Invalid value: "/abs": must be a relative path'],
        ),
        (
            "seccomp.security.alpha.kubernetes.io/pod",
            "x",
            [f'{AT}.seccomp.security.alpha.kubernetes.io/pod: Invalid value: "x": must be a valid seccomp profile'],
        ),
        (
            "kubernetes.io/config.mirror",
            "m",
            [
                f'{AT}[kubernetes.io/config.mirror]: Invalid value: "m": '
                "must set spec.nodeName if mirror pod annotation is set"
            ],
        ),
    ],
)
def test_annotations_are_checked(key: str, value: str, expected: list[str]) -> None:
    made = pod()
    made["metadata"]["annotations"] = {key: value}
    assert errors_of(made) == expected
