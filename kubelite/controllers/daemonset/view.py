"""One DaemonSet as it stands, and the changes decided for it. Pure; the ground of `manage`, `rollout`, `status`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kubelite.controllers import amounts
from kubelite.controllers import pods as podq
from kubelite.controllers.daemonset import nodes as nodeq
from kubelite.objects import meta
from kubelite.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class View:
    """`nodes` says of each whether a pod should run there and whether one may stay; `revision` is the hash label."""

    ds: Obj
    nodes: Mapping[str, tuple[bool, bool]]
    pods: Mapping[str, list[Obj]]  # by node
    revision: str
    now: datetime

    def should_run(self, node: str) -> bool:
        return self.nodes.get(node, (False, False))[0]

    def is_available(self, pod: Obj) -> bool:
        return podq.is_available(pod, self.ds["spec"].get("minReadySeconds", 0), self.now)

    def is_updated(self, pod: Obj) -> bool:
        return nodeq.is_updated(self.ds, pod, self.revision)

    @property
    def desired(self) -> int:
        return sum(should for should, _ in self.nodes.values())

    def concerned_nodes(self) -> list[str]:
        """Nodes that have a pod or should have one."""
        return list(dict.fromkeys([*self.pods, *filter(self.should_run, self.nodes)]))

    @property
    def strategy(self) -> Obj:
        return self.ds["spec"].get("updateStrategy") or {}

    @property
    def max_surge(self) -> int:
        asked = (self.strategy.get("rollingUpdate") or {}).get("maxSurge")
        return amounts.of(asked, self.desired, round_up=True, default=0)

    @property
    def max_unavailable(self) -> int:
        asked = (self.strategy.get("rollingUpdate") or {}).get("maxUnavailable")
        return amounts.of(asked, self.desired, round_up=True, default=1) or (0 if self.max_surge else 1)


def view_of(ds: Obj, nodes: Iterable[Obj], pods: Sequence[Obj], revision: str, now: datetime) -> View:
    """A pod that ended and is being deleted leaves its node to the next, though a finalizer may keep it."""
    verdicts = {meta.name(node): nodeq.verdict(ds, node) for node in nodes}
    present = [pod for pod in pods if not (meta.is_terminating(pod) and podq.is_finished(pod))]
    return View(ds, verdicts, nodeq.by_node(present), revision, now)


@dataclass(frozen=True, slots=True)
class Finished:
    """A pod that ended and is deleted so that the node gets another."""

    pod: Obj
    node: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Nodes that get a pod, pods that go; `finished` are among the latter."""

    create: Sequence[str] = ()
    delete: Sequence[Obj] = ()
    finished: Sequence[Finished] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.create or self.delete)
