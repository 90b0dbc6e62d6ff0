"""Who owns what: the table of claiming."""

import pytest

from kubelite.controllers import ownership
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_labels

OWNER: Obj = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web", "uid": "1"}}
LEAVING = OWNER | {"metadata": OWNER["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
SELECTOR = from_labels({"app": "web"})
MINE = meta.owner_reference(OWNER)
OTHERS = MINE | {"uid": "2"}
WITNESS = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "3"}


def pod(app: str, *refs: Obj, leaving: bool = False) -> Obj:
    metadata: Obj = {"name": "p", "labels": {"app": app}, "ownerReferences": list(refs)}
    return {"metadata": metadata | ({"deletionTimestamp": "2026-01-01T00:00:00Z"} if leaving else {})}


@pytest.mark.parametrize(
    ("owner", "obj", "verdict"),
    [
        (OWNER, pod("web", MINE), "mine"),
        (OWNER, pod("web", MINE, leaving=True), "mine"),
        (OWNER, pod("web", OTHERS), "foreign"),
        (OWNER, pod("debug", MINE), "release"),
        (OWNER, pod("web"), "adopt"),
        (OWNER, pod("web", WITNESS), "adopt"),
        (OWNER, pod("debug"), "foreign"),
        (OWNER, pod("web", leaving=True), "foreign"),
        (LEAVING, pod("web"), "foreign"),
        (LEAVING, pod("web", MINE), "mine"),
        (LEAVING, pod("debug", MINE), "foreign"),
    ],
)
def test_verdict_on(owner: Obj, obj: Obj, verdict: str) -> None:
    assert ownership.judge(owner, SELECTOR, obj) == verdict


def test_membership_narrows_the_selector() -> None:
    assert ownership.judge(OWNER, SELECTOR, pod("web"), lambda obj: False) == "foreign"
    assert ownership.judge(OWNER, SELECTOR, pod("web", MINE), lambda obj: False) == "release"


def test_adoption_and_release_leave_other_owners_alone() -> None:
    adopted = ownership.adoption(pod("web", WITNESS), OWNER)
    assert adopted == {"metadata": {"ownerReferences": [WITNESS, MINE]}}
    assert ownership.release(pod("web", WITNESS, MINE), OWNER) == {"metadata": {"ownerReferences": [WITNESS]}}
    assert ownership.release(pod("web", MINE), OWNER) == {"metadata": {"ownerReferences": None}}
