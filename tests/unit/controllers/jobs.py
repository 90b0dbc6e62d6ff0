"""A Job on a registry, with a kubelet that does as it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from kubelite.controllers import pods as podq
from kubelite.controllers.job import members
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry

NAMESPACE = "default"


def job(name: str = "sum", restart: str = "Never", **spec: Any) -> Obj:
    template = {"spec": {"restartPolicy": restart, "containers": [{"name": "main", "image": "tools"}]}}
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"template": template} | spec}


class Bench:
    """Reads and ends the pods of one Job; `rest` lets its controllers work."""

    def __init__(self, registry: Registry, rest: Callable[[], object], now: Callable[[], datetime]) -> None:
        self.registry = registry
        self.rest = rest
        self._now = now

    def create(self, new: Obj) -> Obj:
        created = self.registry.create("jobs", new)
        self.rest()
        return created

    def change(self, **spec: Any) -> None:
        self.registry.patch("jobs", NAMESPACE, "sum", {"spec": spec})
        self.rest()

    @property
    def job(self) -> Obj:
        return self.registry.get("jobs", NAMESPACE, "sum")

    @property
    def status(self) -> Obj:
        status: Obj = self.job["status"]
        return status

    def conditions(self) -> list[tuple[str, str, str]]:
        return [(c["type"], c["reason"], c["message"]) for c in self.status.get("conditions", ())]

    def pods(self) -> Sequence[Obj]:
        return self.registry.list("pods", NAMESPACE)

    def active(self) -> list[Obj]:
        return [pod for pod in self.pods() if podq.is_active(pod)]

    def active_indexes(self) -> list[int | None]:
        return sorted(
            (members.index_of(pod) for pod in self.active()), key=lambda index: -1 if index is None else index
        )

    def of_index(self, index: int) -> Obj:
        return next(pod for pod in self.active() if members.index_of(pod) == index)

    def bind(self, pod: Obj) -> Obj:
        return pod if pod["spec"].get("nodeName") else self.registry.bind(pod, "node")

    def report(self, pod: Obj, phase: str, *, ready: bool = False, **status: Any) -> Obj:
        """The kubelet's word on a pod."""
        pod = self.bind(self.registry.get("pods", NAMESPACE, meta.name(pod)))
        condition = {"type": "Ready", "status": "True" if ready else "False"}
        conditions = meta.with_condition(pod["status"].get("conditions"), condition, self._now())
        new = pod["status"] | {"phase": phase, "conditions": conditions} | status
        return self.registry.update("pods", pod | {"status": new}, "status")

    def run(self, pod: Obj) -> None:
        self.report(pod, "Running", ready=True)
        self.rest()

    def succeed(self, pod: Obj) -> None:
        self.report(pod, "Succeeded")
        self.rest()

    def fail(self, pod: Obj, code: int = 1) -> None:
        ended = {"exitCode": code, "finishedAt": meta.format_time(self._now())}
        self.report(pod, "Failed", containerStatuses=[{"name": "main", "state": {"terminated": ended}}])
        self.rest()

    def bury(self) -> None:
        """The kubelet is done with whatever terminates."""
        for pod in self.pods():
            if meta.is_terminating(pod):
                if not podq.is_finished(pod):
                    self.report(pod, "Failed")
                self.registry.delete("pods", NAMESPACE, meta.name(pod), grace=0)
        self.rest()

    def tracked(self) -> list[str]:
        return [meta.name(pod) for pod in self.pods() if members.is_tracked(pod)]
