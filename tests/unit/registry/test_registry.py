"""Create, update, delete: what the server fills in, refuses and remembers."""

from __future__ import annotations

import pytest

from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry


def config_map(name: str = "a", **more: object) -> Obj:
    return {"metadata": {"name": name, "namespace": "default"}, "data": {"k": "v"}, **more}


def refusal(call: object, *arguments: object, **options: object) -> StatusError:
    with pytest.raises(StatusError) as caught:
        call(*arguments, **options)  # type: ignore[operator]
    return caught.value


def test_create_gives_an_object_its_identity(registry: Registry) -> None:
    created = registry.create("configmaps", config_map())
    metadata = created["metadata"]
    assert created["apiVersion"] == "v1"
    assert created["kind"] == "ConfigMap"
    assert metadata["uid"]
    assert metadata["creationTimestamp"] == "2026-01-02T03:04:05Z"
    assert metadata["resourceVersion"] == str(registry.store.revision)


def test_create_generates_names_that_are_free(registry: Registry) -> None:
    wanted = {"metadata": {"generateName": "web-", "namespace": "default"}}
    names = {meta.name(registry.create("configmaps", wanted)) for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("web-") and len(name) == 9 for name in names)


def test_create_of_what_exists_is_refused(registry: Registry) -> None:
    registry.create("configmaps", config_map())
    error = refusal(registry.create, "configmaps", config_map())
    assert (error.code, error.reason, error.message) == (409, "AlreadyExists", 'configmaps "a" already exists')


def test_create_in_an_unknown_namespace_is_refused(registry: Registry) -> None:
    error = refusal(registry.create, "configmaps", {"metadata": {"name": "a", "namespace": "nowhere"}})
    assert (error.code, error.message) == (404, 'namespaces "nowhere" not found')


def test_a_refused_create_leaves_no_trace(registry: Registry) -> None:
    before = registry.store.revision
    assert refusal(registry.create, "configmaps", config_map("Not_A_Name")).code == 422
    assert registry.store.revision == before


def test_update_with_an_old_version_conflicts(registry: Registry) -> None:
    old = registry.create("configmaps", config_map())
    registry.update("configmaps", {**old, "data": {"k": "w"}})
    error = refusal(registry.update, "configmaps", {**old, "data": {"k": "x"}})
    assert (error.code, error.reason) == (409, "Conflict")
    assert "the object has been modified" in error.message


def test_update_without_a_change_writes_nothing(registry: Registry) -> None:
    old = registry.create("configmaps", config_map())
    assert registry.update("configmaps", old) == old
    assert registry.store.revision == meta.resource_version(old)


def test_update_keeps_what_only_the_server_sets(registry: Registry) -> None:
    old = registry.create("configmaps", config_map())
    new = registry.update("configmaps", {"metadata": {"name": "a", "namespace": "default"}, "data": {"k": "w"}})
    assert meta.uid(new) == meta.uid(old)
    assert new["metadata"]["creationTimestamp"] == old["metadata"]["creationTimestamp"]


def test_a_status_write_changes_labels_but_not_those_of_deployments(registry: Registry) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "httpd"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    patch = {"metadata": {"labels": {"l": "new"}, "annotations": {"n": "new"}}, "status": {"replicas": 1}}
    for plural, label in (("deployments", "old"), ("replicasets", "new")):
        registry.create(plural, {"metadata": {"name": "x", "labels": {"l": "old"}}, "spec": spec})
        written = registry.patch(plural, "default", "x", patch, "status")
        assert (written["metadata"]["labels"]["l"], written["metadata"]["annotations"]["n"]) == (label, "new")


def test_status_and_spec_are_written_apart(registry: Registry) -> None:
    service = registry.create(
        "services",
        {"metadata": {"name": "s", "namespace": "default"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}},
    )
    status = {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}
    updated = registry.update("services", {**service, "spec": {}, "status": status}, "status")
    assert updated["spec"] == service["spec"]
    assert updated["status"] == status
    again = registry.patch("services", "default", "s", {"metadata": {"labels": {"a": "b"}}, "status": {}})
    assert again["status"] == status


def test_a_finalizer_holds_an_object_until_it_is_removed(registry: Registry) -> None:
    held = config_map()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    registry.create("configmaps", held)
    marked = registry.delete("configmaps", "default", "a")
    assert meta.is_terminating(marked)
    assert registry.find("configmaps", "default", "a") is not None
    registry.patch("configmaps", "default", "a", {"metadata": {"finalizers": None}})
    assert registry.find("configmaps", "default", "a") is None


def test_delete_of_another_uid_conflicts(registry: Registry) -> None:
    registry.create("configmaps", config_map())
    error = refusal(registry.delete, "configmaps", "default", "a", uid="other")
    assert error.reason == "Conflict"
    assert "does not match the UID in record" in error.message


@pytest.mark.parametrize("name", ["default", "kube-system"])
def test_namespaces_of_the_system_stay(registry: Registry, name: str) -> None:
    error = refusal(registry.delete, "namespaces", None, name)
    assert error.message == f'namespaces "{name}" is forbidden: this namespace may not be deleted'


def test_nothing_new_in_a_terminating_namespace(registry: Registry) -> None:
    registry.create("namespaces", {"metadata": {"name": "going"}})
    going = registry.delete("namespaces", None, "going")
    assert going["status"]["phase"] == "Terminating"
    error = refusal(registry.create, "configmaps", {"metadata": {"name": "a", "namespace": "going"}})
    assert error.code == 403
    assert error.details["causes"][0]["reason"] == "NamespaceTerminating"
    registry.finalize({**going, "spec": {"finalizers": []}})
    assert registry.find("namespaces", None, "going") is None


async def test_watch_sees_old_and_new(registry: Registry) -> None:
    events = registry.watch(["configmaps"])
    created = registry.create("configmaps", config_map())
    changed = registry.update("configmaps", {**created, "data": {"k": "w"}})
    registry.delete("configmaps", "default", "a")
    first, second, third = [await anext(events) for _ in range(3)]
    assert (first.type, first.object, first.old) == ("ADDED", created, None)
    assert (second.type, second.object, second.old) == ("MODIFIED", changed, created)
    assert (third.type, third.old) == ("DELETED", changed)
