"""Apply's patch: what it holds, and that the server's merge of it gives what was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.manifests.three_way import three_way
from kubelite.objects.patch_merge import merge_patch
from kubelite.objects.patch_strategic import strategic_merge
from kubelite.schema.model import definition_for

DEPLOYMENT = definition_for("apps", "v1", "Deployment")
SERVICE = definition_for("", "v1", "Service")
Obj = dict[str, Any]


def pod(*containers: Obj, **more: Any) -> Obj:
    return {"spec": {"template": {"spec": {"containers": list(containers), **more}}}}


def inner(obj: Obj) -> Obj:
    spec: Obj = obj["spec"]["template"]["spec"]
    return spec


def test_nothing_to_do_gives_an_empty_patch() -> None:
    applied = pod({"name": "a", "image": "httpd", "ports": [{"containerPort": 80}]})
    live = pod(
        {
            "name": "a",
            "image": "httpd",
            "ports": [{"containerPort": 80, "protocol": "TCP"}],
            "imagePullPolicy": "Always",
        }
    )
    assert three_way(applied, applied, live, DEPLOYMENT) == {}


def test_patch_holds_the_changed_field_only() -> None:
    patch = three_way(
        {}, {"spec": {"replicas": 2, "paused": False}}, {"spec": {"replicas": 3, "paused": False}}, DEPLOYMENT
    )
    assert patch == {"spec": {"replicas": 2}}


def test_dropped_field_is_deleted_and_a_defaulted_one_stays() -> None:
    last = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    new = {"metadata": {"labels": {"a": "1"}}}
    live = {"metadata": {"labels": {"a": "1", "b": "2", "by-a-controller": "3"}}}
    patch = three_way(last, new, live, DEPLOYMENT)
    assert patch == {"metadata": {"labels": {"b": None}}}


def test_field_dropped_that_is_gone_already_needs_no_patch() -> None:
    assert three_way({"spec": {"paused": True}}, {"spec": {}}, {"spec": {"replicas": 1}}, DEPLOYMENT) == {}


def test_entry_of_a_keyed_list_is_changed_added_and_removed() -> None:
    last = pod({"name": "a", "image": "x:1"}, {"name": "b", "image": "y"})
    new = pod({"name": "a", "image": "x:2"}, {"name": "c", "image": "z"})
    live = pod(
        {"name": "a", "image": "x:1", "tty": True}, {"name": "b", "image": "y"}, {"name": "injected", "image": "i"}
    )
    patch = three_way(last, new, live, DEPLOYMENT)
    assert inner(patch) == {
        "$setElementOrder/containers": [{"name": "a"}, {"name": "c"}],
        "containers": [{"name": "a", "image": "x:2"}, {"name": "c", "image": "z"}, {"$patch": "delete", "name": "b"}],
    }
    merged = inner(strategic_merge(live, patch, DEPLOYMENT))["containers"]
    assert {entry["name"]: entry["image"] for entry in merged} == {"a": "x:2", "c": "z", "injected": "i"}
    assert next(entry for entry in merged if entry["name"] == "a")["tty"] is True


def test_new_order_of_a_keyed_list_is_sent() -> None:
    one, two = {"name": "a", "image": "x"}, {"name": "b", "image": "y"}
    patch = three_way(pod(one, two), pod(two, one), pod(one, two), DEPLOYMENT)
    assert inner(patch) == {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    assert inner(strategic_merge(pod(one, two), patch, DEPLOYMENT))["containers"] == [two, one]


def test_list_whose_keys_repeat_is_replaced() -> None:
    ports = [{"port": 53, "protocol": "UDP", "name": "dns"}, {"port": 53, "protocol": "TCP", "name": "dns-tcp"}]
    live = {"spec": {"ports": [*ports, {"port": 80}]}}
    patch = three_way({}, {"spec": {"ports": ports}}, live, SERVICE)
    assert strategic_merge(live, patch, SERVICE)["spec"]["ports"] == ports


def test_union_forgets_the_members_that_are_not_named() -> None:
    live = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}}}
    patch = three_way({}, {"spec": {"strategy": {"type": "Recreate"}}}, live, DEPLOYMENT)
    assert strategic_merge(live, patch, DEPLOYMENT)["spec"]["strategy"] == {"type": "Recreate"}


def test_volume_of_another_kind_takes_the_place_of_its_namesake() -> None:
    live = pod(volumes=[{"name": "v", "emptyDir": {}}])
    patch = three_way(live, pod(volumes=[{"name": "v", "hostPath": {"path": "/x"}}]), live, DEPLOYMENT)
    assert inner(strategic_merge(live, patch, DEPLOYMENT))["volumes"] == [{"name": "v", "hostPath": {"path": "/x"}}]


def test_plain_values_that_others_added_stay() -> None:
    last = {"metadata": {"finalizers": ["mine/old"]}}
    live = {"metadata": {"finalizers": ["mine/old", "theirs"]}}
    new = {"metadata": {"finalizers": ["mine/new"]}}
    patch = three_way(last, new, live, DEPLOYMENT)
    assert sorted(strategic_merge(live, patch, DEPLOYMENT)["metadata"]["finalizers"]) == ["mine/new", "theirs"]


def test_null_in_a_manifest_deletes() -> None:
    assert three_way({}, {"spec": {"paused": None}}, {"spec": {"paused": True}}, DEPLOYMENT) == {
        "spec": {"paused": None}
    }
    assert three_way({}, {"spec": {"paused": None}}, {"spec": {}}, DEPLOYMENT) == {}


@pytest.mark.parametrize("definition", [DEPLOYMENT, None])
def test_outcome_of_the_merge_holds_what_was_asked_for(definition: Any) -> None:
    last = {"spec": {"replicas": 1, "template": {"metadata": {"labels": {"a": "1", "b": "2"}}}}}
    new = {"spec": {"replicas": 2, "template": {"metadata": {"labels": {"a": "2"}}}}}
    live = {
        "spec": {"replicas": 1, "paused": True, "template": {"metadata": {"labels": {"a": "1", "b": "2", "c": "3"}}}}
    }
    patch = three_way(last, new, live, definition)
    merged = strategic_merge(live, patch, definition) if definition else merge_patch(live, patch)
    assert merged == {
        "spec": {"replicas": 2, "paused": True, "template": {"metadata": {"labels": {"a": "2", "c": "3"}}}}
    }
