"""Who makes room for a critical pod."""

from __future__ import annotations

from typing import Any

from kubelite.node.admission import Rejection, admit
from kubelite.node.preemption import victims
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from tests.unit.node.pods import container, pod

NODE: Obj = {
    "metadata": {"name": "node"},
    "spec": {},
    "status": {"allocatable": {"cpu": "2", "memory": "1Gi", "pods": "9"}},
}


def asking(name: str, cpu: str, quality: str = "Burstable", **spec: Any) -> Obj:
    resources = {"requests": {"cpu": cpu}}
    status = {"phase": "Running", "qosClass": quality}
    return pod(container(resources=resources), metadata={"name": name, "uid": name}, status=status, **spec)


def chosen(of: Obj, *others: Obj) -> list[str]:
    rejection = admit(of, NODE, others)
    assert rejection is not None
    return [meta.name(victim) for victim in victims(of, NODE, others, rejection)]


def test_as_few_as_need_be_of_the_lowest_class_go() -> None:
    critical = asking("new", "1", priority=2_000_000_000)
    a, b = asking("a", "1"), asking("b", "1", "Guaranteed")
    assert chosen(critical, a, b) == ["a"]
    assert chosen(critical, asking("a", "500m"), asking("b", "500m"), asking("c", "1", "Guaranteed")) == ["a", "b"]


def test_nobody_goes_where_it_does_not_help_or_is_not_due() -> None:
    assert chosen(asking("new", "1"), asking("a", "2")) == []
    huge = asking("new", "3", priority=2_000_000_000)
    assert chosen(huge, asking("a", "1")) == []
    critical = asking("new", "1", priority=2_000_000_000)
    assert chosen(critical, asking("a", "2", priority=2_000_000_000)) == []
    assert chosen(asking("new", "1", priority=2_000_001_000), asking("a", "2", priority=2_000_000_000)) == ["a"]
    assert victims(critical, NODE, [asking("a", "2")], Rejection("NodePorts", "")) == []
