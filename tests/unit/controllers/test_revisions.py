"""Hashes, names and decisions of ControllerRevisions."""

from typing import Any

import pytest

from kubelite.controllers import revisions
from kubelite.objects.meta import Obj

LABELS = {"app": "headless-pod"}


def recorded_template(**container: Any) -> Obj:
    """The template of a set on a real cluster, as its API server defaulted it."""
    web = {
        "name": "myhttpd",
        "image": "httpd:2.4",
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"containerPort": 80, "name": "httpd", "protocol": "TCP"}],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": [{"mountPath": "/mnt", "name": "test"}],
    }
    return {
        "metadata": {"labels": LABELS},
        "spec": {
            "containers": [web | container],
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "terminationGracePeriodSeconds": 30,
        },
    }


def owner(template: Obj) -> Obj:
    metadata = {"name": "statefulset-test", "namespace": "default", "uid": "1", "annotations": {"note": "kept"}}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": {"template": template}}


@pytest.mark.parametrize(
    ("container", "digest"), [({}, "65c787df95"), ({"env": [{"name": "A", "value": "b"}]}, "65b6dcb78f")]
)
def test_revision_has_the_name_that_a_real_cluster_gave_it(container: Obj, digest: str) -> None:
    revision = revisions.new_revision(owner(recorded_template(**container)), 1, 0)
    assert revision["metadata"]["name"] == f"statefulset-test-{digest}"
    assert revision["metadata"]["labels"] == LABELS | {"controller.kubernetes.io/hash": digest}
    assert revision["metadata"]["annotations"] == {"note": "kept"}


def test_template_comes_back_from_its_revision() -> None:
    template = recorded_template(resources={})
    assert revisions.template_of(revisions.new_revision(owner(template), 1, 0)) == template


def test_long_owner_names_are_cut() -> None:
    long = owner(recorded_template())
    long["metadata"]["name"] = "x" * 240
    name = revisions.new_revision(long, 1, 0)["metadata"]["name"]
    assert name.startswith("x" * 223 + "-")
    assert len(name) <= 234


def history_of(*images: str) -> list[Obj]:
    return [revisions.new_revision(owner(recorded_template(image=it)), at + 1, 0) for at, it in enumerate(images)]


def test_newest_equal_revision_is_kept() -> None:
    past = history_of("a", "b")
    assert revisions.decide(owner(recorded_template(image="b")), past, 0) == revisions.Decision(past[1])


def test_older_equal_revision_gets_the_next_number() -> None:
    past = history_of("a", "b")
    assert revisions.decide(owner(recorded_template(image="a")), past, 0) == revisions.Decision(past[0], renumber=3)


def test_unknown_template_gets_a_new_revision() -> None:
    decision = revisions.decide(owner(recorded_template(image="c")), history_of("a", "b"), 0)
    assert decision.create
    assert decision.revision["revision"] == 3


def test_superfluous_revisions_are_the_oldest_unused_ones() -> None:
    past = history_of("a", "b", "c", "d")
    names = [revision["metadata"]["name"] for revision in past]
    gone = revisions.superfluous(past, {names[0], names[3]}, 1)
    assert [revision["metadata"]["name"] for revision in gone] == [names[1]]


def test_template_hash_depends_on_the_collision_count() -> None:
    template = recorded_template()
    digests = {revisions.template_hash(template, count) for count in (None, 0, 1)}
    assert len(digests) == 3
    assert all(8 <= len(digest) <= 10 for digest in digests)
