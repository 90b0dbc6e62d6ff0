"""Strategic merge with the real schema: patches as kubectl sends them."""

from typing import Any

from kubelite.objects.patch_strategic import strategic_merge
from kubelite.schema.model import definition_for


def merge(kind: str, original: dict[str, Any], patch: dict[str, Any]) -> Any:
    group = "" if kind in ("Service", "Pod") else "apps"
    return strategic_merge(original, patch, definition_for(group, "v1", kind))


def template(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


def test_apply_drops_changes_and_adds_containers_env_and_volumes() -> None:
    live = template(
        containers=[
            {"name": "a", "image": "httpd"},
            {"name": "b", "image": "httpd", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
        ],
        volumes=[{"name": "v", "emptyDir": {}}],
    )
    patch = template(
        **{
            "$setElementOrder/containers": [{"name": "b"}, {"name": "c"}],
            "$setElementOrder/volumes": [{"name": "v"}],
            "containers": [
                {
                    "name": "b",
                    "image": "httpd:2",
                    "$setElementOrder/env": [{"name": "Y"}],
                    "env": [{"name": "X", "$patch": "delete"}],
                },
                {"name": "c", "image": "httpd"},
                {"name": "a", "$patch": "delete"},
            ],
            "volumes": [
                {"name": "v", "$retainKeys": ["configMap", "name"], "configMap": {"name": "x"}, "emptyDir": None}
            ],
        }
    )
    assert merge("StatefulSet", live, patch) == template(
        containers=[
            {"name": "b", "image": "httpd:2", "env": [{"name": "Y", "value": "2"}]},
            {"name": "c", "image": "httpd"},
        ],
        volumes=[{"name": "v", "configMap": {"name": "x"}}],
    )


def test_rollout_undo_replaces_the_template() -> None:
    live = template(containers=[{"name": "a", "env": [{"name": "A"}]}], hostNetwork=True)
    patch = {"spec": {"template": {"$patch": "replace", "spec": {"containers": [{"name": "a"}]}}}}
    assert merge("StatefulSet", live, patch) == template(containers=[{"name": "a"}])


def test_rollout_restart_adds_an_annotation_where_there_were_none() -> None:
    patch = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}}
    merged = merge("Deployment", template(containers=[{"name": "a"}]), patch)
    assert merged["spec"]["template"]["metadata"] == {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}
    assert merged["spec"]["template"]["spec"] == {"containers": [{"name": "a"}]}


def test_strategy_change_retains_only_the_new_keys() -> None:
    live = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert merge("Deployment", live, patch) == {"spec": {"strategy": {"type": "Recreate"}}}


def test_atomic_lists_are_replaced_and_finalizers_merged() -> None:
    live = {"metadata": {"finalizers": ["a"]}, "spec": {"volumeClaimTemplates": [{"metadata": {"name": "x"}}]}}
    patch = {"metadata": {"finalizers": ["b"]}, "spec": {"volumeClaimTemplates": [{"metadata": {"name": "y"}}]}}
    merged = merge("StatefulSet", live, patch)
    assert merged["spec"]["volumeClaimTemplates"] == [{"metadata": {"name": "y"}}]
    assert sorted(merged["metadata"]["finalizers"]) == ["a", "b"]


def test_service_ports_merge_by_port() -> None:
    live = {"spec": {"ports": [{"port": 80, "name": "web", "nodePort": 30080}, {"port": 81, "name": "x"}]}}
    patch = {
        "spec": {
            "$setElementOrder/ports": [{"port": 80}],
            "ports": [{"port": 80, "targetPort": 8080}, {"port": 81, "$patch": "delete"}],
        }
    }
    assert merge("Service", live, patch) == {
        "spec": {"ports": [{"port": 80, "name": "web", "nodePort": 30080, "targetPort": 8080}]}
    }
