"""What updates of pods may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kubelite.errors import FieldError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.pod import POD

ONLY = (
    "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
)
TOLERATION = {"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}


def pod(**spec: Any) -> Obj:
    made = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "web", "image": "httpd:2.4"}]} | spec}
    POD.default(made)
    return made


DEBUGGER = (
    '[{"name":"d","image":"i","resources":{},"imagePullPolicy":"Always",'
    '"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File"}]'
)


def errors_of(
    old: Obj,
    change: Callable[[Obj], object],
    rules: Callable[[Obj, Obj], list[FieldError]] = POD.validate,
) -> list[str]:
    new = meta.copy(old)
    change(new["spec"])
    POD.default(new)
    return [str(error) for error in rules(new, old)]


ALLOWED = [
    (pod(), lambda spec: None),
    (pod(), lambda spec: spec["containers"][0].update(image="httpd:2.5")),
    (pod(initContainers=[{"name": "i", "image": "a"}]), lambda spec: spec["initContainers"][0].update(image="b")),
    (pod(), lambda spec: spec.update(activeDeadlineSeconds=5)),
    (pod(activeDeadlineSeconds=9), lambda spec: spec.update(activeDeadlineSeconds=5)),
    (pod(tolerations=[TOLERATION]), lambda spec: spec["tolerations"].append({"operator": "Exists"})),
    (pod(tolerations=[TOLERATION]), lambda spec: spec["tolerations"][0].update(tolerationSeconds=9)),
    (pod(terminationGracePeriodSeconds=-1), lambda spec: spec.update(terminationGracePeriodSeconds=1)),
    (pod(schedulingGates=[{"name": "g"}]), lambda spec: spec.pop("schedulingGates")),
    (pod(), lambda spec: spec.update(volumes=[], nodeSelector={})),
]


@pytest.mark.parametrize(("old", "change"), ALLOWED)
def test_update_is_allowed(old: Obj, change: Callable[[Obj], object]) -> None:
    assert errors_of(old, change) == []


REFUSED = [
    (pod(), lambda spec: spec.update(hostname="h"), [f'{ONLY}+ hostname: "h"\n']),
    (
        pod(hostname="g"),
        lambda spec: spec.update(hostname="h"),
        [f'{ONLY}- hostname: "g"\n+ hostname: "h"\n'],
    ),
    (
        pod(),
        lambda spec: spec["containers"][0].update(command=["a"]),
        [f'{ONLY}+ containers[0].command: ["a"]\n'],
    ),
    (
        pod(),
        lambda spec: spec.update(terminationGracePeriodSeconds=1),
        [f"{ONLY}- terminationGracePeriodSeconds: 30\n+ terminationGracePeriodSeconds: 1\n"],
    ),
    (
        pod(),
        lambda spec: spec["containers"].append({"name": "b", "image": "i"}),
        ["spec.containers: Forbidden: pod updates may not add or remove containers"],
    ),
    (
        pod(activeDeadlineSeconds=5),
        lambda spec: spec.update(activeDeadlineSeconds=9),
        ["spec.activeDeadlineSeconds: Invalid value: 9: must be less than or equal to previous value"],
    ),
    (
        pod(activeDeadlineSeconds=5),
        lambda spec: spec.pop("activeDeadlineSeconds"),
        ["spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"],
    ),
    (
        pod(tolerations=[TOLERATION]),
        lambda spec: spec.update(tolerations=[]),
        ["spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"],
    ),
    (
        pod(),
        lambda spec: spec.update(schedulingGates=[{"name": "g"}]),
        ["spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'g'"],
    ),
    (
        pod(),
        lambda spec: spec.update(ephemeralContainers=[{"name": "d", "image": "i"}]),
        [f"{ONLY}+ ephemeralContainers: {DEBUGGER}\n"],
    ),
]


@pytest.mark.parametrize(("old", "change", "expected"), REFUSED)
def test_update_is_refused(old: Obj, change: Callable[[Obj], object], expected: list[str]) -> None:
    assert errors_of(old, change) == expected


THROUGH_SUBRESOURCE: list[tuple[Obj, Callable[[Obj], object], list[str]]] = [
    (pod(), lambda spec: spec.update(ephemeralContainers=[{"name": "d", "image": "i"}]), []),
    (
        pod(ephemeralContainers=[{"name": "d", "image": "i"}]),
        lambda spec: spec.update(ephemeralContainers=[]),
        ['spec.ephemeralContainers: Forbidden: existing ephemeral containers "d" may not be removed\n'],
    ),
    (
        pod(ephemeralContainers=[{"name": "d", "image": "i"}]),
        lambda spec: spec["ephemeralContainers"][0].update(stdin=True),
        ['spec.ephemeralContainers: Forbidden: existing ephemeral containers "d" may not be changed\n+ stdin: true\n'],
    ),
    (
        pod(),
        lambda spec: spec.update(ephemeralContainers=[{"name": "web", "image": "i", "targetContainerName": "x"}]),
        [
            'spec.ephemeralContainers[0].name: Duplicate value: "web"',
            'spec.ephemeralContainers[0].targetContainerName: Not found: "x"',
        ],
    ),
    (
        pod(),
        lambda spec: spec.update(ephemeralContainers=[{"name": "d", "image": "i", "ports": [{"containerPort": 1}]}]),
        ["spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container"],
    ),
]


@pytest.mark.parametrize(("old", "change", "expected"), THROUGH_SUBRESOURCE)
def test_ephemeral_containers_are_only_added(old: Obj, change: Callable[[Obj], object], expected: list[str]) -> None:
    rules = POD.subresource_rules["ephemeralcontainers"]
    assert errors_of(old, change, rules) == expected
