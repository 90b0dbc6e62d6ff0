"""What the scheduler looks at when it looks at a pod: the nodes, and the pods that have one. PURE."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from kubelite.objects import meta
from kubelite.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a node doesn't take a pod, and whether the end of other pods could change that."""

    reasons: tuple[str, ...]
    resolvable: bool = True


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`pods` are on a node, or (with `nodeName` filled in) promised to one."""

    nodes: Sequence[Obj]
    pods: Sequence[Obj]
    namespaces: Mapping[str, Mapping[str, str]]  # labels by name

    def on(self, node: Obj) -> list[Obj]:
        return [pod for pod in self.pods if pod["spec"]["nodeName"] == meta.name(node)]

    def without(self, gone: Collection[str]) -> Snapshot:
        """The same without the pods of these uids."""
        return replace(self, pods=[pod for pod in self.pods if meta.uid(pod) not in gone])

    def labels_of_nodes(self) -> dict[str, dict[str, str]]:
        return {meta.name(node): meta.labels(node) for node in self.nodes}


def priority(pod: Obj) -> int:
    return int(pod["spec"].get("priority") or 0)
