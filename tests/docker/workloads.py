"""Workloads under test: a manifest of any kind, its pods, and everything that happens to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.testing.conditions import ready
from kubelite.testing.namespace import Namespace
from tests.docker.running_cluster import APP

World = Mapping[str, Obj]
SLEEPS = "echo $VERSION; trap 'exit 0' TERM; sleep 3600 & wait"


def workload(kind: str, name: str = "web", *, app: str = "web", **spec: Any) -> str:
    """`pod` and `container` of the keywords are merged into the template, the others are the workload's spec."""
    pod, container = spec.pop("pod", {}), spec.pop("container", {})
    main: Obj = {"name": "main", "image": APP, "imagePullPolicy": "Never", "command": ["sh", "-c", SLEEPS]}
    main |= {"env": [{"name": "VERSION", "value": "1"}], **container}
    labels = {"app": app}
    template = {"terminationGracePeriodSeconds": 1, "containers": [main], **pod}
    whole = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": template},
        **spec,
    }
    return json.dumps({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": whole})


def pods(kubelite: Namespace) -> dict[str, Obj]:
    return {meta.name(pod): pod for pod in kubelite.list("pods")}


def uids(world: World) -> dict[str, str]:
    return {name: meta.uid(obj) for name, obj in world.items()}


def serves(pod: Obj) -> bool:
    return ready(pod) and not meta.is_terminating(pod)


def replaced(kubelite: Namespace, before: World, *names: str) -> None:
    """Wait until other pods have these names and are ready."""

    def other_than(uid: str) -> Callable[[Obj], bool]:
        return lambda pod: meta.uid(pod) != uid and serves(pod)

    for name in names:
        kubelite.wait("pods", name, other_than(meta.uid(before[name])))


@dataclass(frozen=True)
class Change:
    """One event of a watch; `world` is what there is after it, by name."""

    type: str
    object: Obj
    world: World


class Recording:
    """Of a namespace's objects from the moment it is made: nothing between two looks is missed."""

    def __init__(self, kubelite: Namespace, plural: str = "pods", group: str = "/api/v1") -> None:
        self._client = kubelite.client
        self._path = f"{group}/namespaces/{kubelite.namespace}/{plural}"
        listed = self._client.get(self._path)
        self._world: World = {meta.name(obj): obj for obj in listed["items"]}
        self._version: str = listed["metadata"]["resourceVersion"]

    def until(self, holds: Callable[[World], bool]) -> list[Change]:
        """The changes since the beginning or the last call, up to the one that makes it hold."""
        changes: list[Change] = []
        for event in self._client.watch(self._path, {"resourceVersion": self._version}):
            obj = event["object"]
            others = {name: other for name, other in self._world.items() if name != meta.name(obj)}
            self._world = others if event["type"] == "DELETED" else {**others, meta.name(obj): obj}
            self._version = obj["metadata"]["resourceVersion"]
            changes.append(Change(event["type"], obj, self._world))
            if holds(self._world):
                return changes
        raise AssertionError(f"the watch ended with {self._world}")


def first(changes: Sequence[Change], name: str, fits: Callable[[Change], bool]) -> int:
    """The place of the first change of an object that fits."""
    return next(at for at, change in enumerate(changes) if meta.name(change.object) == name and fits(change))


def is_ready(change: Change) -> bool:
    return serves(change.object)


def is_leaving(change: Change) -> bool:
    return meta.is_terminating(change.object)


def is_gone(change: Change) -> bool:
    return change.type == "DELETED"
