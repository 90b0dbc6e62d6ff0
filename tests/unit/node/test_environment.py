from __future__ import annotations

import base64
from typing import Any

import pytest

from kubelite.node.environment import (
    ConfigError,
    Surroundings,
    environment,
    expand,
    expand_all,
    expand_probe,
    service_links,
)
from kubelite.node.fields import Machine, UnsupportedField, field_value, resource_value
from kubelite.objects.meta import Obj
from tests.unit.node.pods import container, pod

OBJECTS: dict[tuple[str, str], Obj] = {
    ("configmaps", "cm"): {"data": {"color": "blue", "size": "2"}},
    ("secrets", "s"): {"data": {"password": base64.b64encode(b"hunter2").decode()}},
}


def around(**fields: Any) -> Surroundings:
    return Surroundings(
        find=lambda plural, name: OBJECTS.get((plural, name)),
        pod_address="172.30.0.16",
        host_address="172.30.0.1",
        node="node",
        machine=Machine(4, 8 * 1024**3),
        **fields,
    )


def variables(**fields: Any) -> dict[str, str]:
    return environment(pod(), container(**fields), around())


def test_values_expand_earlier_variables() -> None:
    env = [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "$(A)-$(C)-$$(A)"},
        {"name": "C", "value": "late"},
        {"name": "D"},
    ]
    assert variables(env=env) == {"A": "1", "B": "1-$(C)-$(A)", "C": "late", "D": ""}


def test_keys_of_configmaps_and_secrets() -> None:
    env = [
        {"name": "COLOR", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "color"}}},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "password"}}},
        {"name": "NONE", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "x", "optional": True}}},
        {"name": "NOKEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "x", "optional": True}}},
    ]
    assert variables(env=env) == {"COLOR": "blue", "PASSWORD": "hunter2"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "no", "key": "x"}}, 'configmap "no" not found'),
        ({"secretKeyRef": {"name": "no", "key": "x"}}, 'secret "no" not found'),
        ({"configMapKeyRef": {"name": "cm", "key": "x"}}, "couldn't find key x in ConfigMap default/cm"),
        ({"secretKeyRef": {"name": "s", "key": "x"}}, "couldn't find key x in Secret default/s"),
        ({"fieldRef": {"fieldPath": "spec.no"}}, "unsupported fieldPath: spec.no"),
    ],
)
def test_missing_source_is_named_as_upstream_does(source: Obj, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        variables(env=[{"name": "X", "valueFrom": source}])


def test_env_from_gives_all_keys_with_their_prefix_and_env_wins() -> None:
    sources = [{"configMapRef": {"name": "cm"}, "prefix": "P_"}, {"secretRef": {"name": "no", "optional": True}}]
    result = variables(envFrom=sources, env=[{"name": "P_size", "value": "big"}])
    assert result == {"P_color": "blue", "P_size": "big"}


def test_service_links_are_upstreams() -> None:
    service = {
        "metadata": {"name": "my-db", "namespace": "default"},
        "spec": {"clusterIP": "10.254.0.9", "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}]},
    }
    headless = {"metadata": {"name": "h", "namespace": "default"}, "spec": {"clusterIP": "None"}}
    assert service_links(pod(), [service, headless]) == {
        "MY_DB_SERVICE_HOST": "10.254.0.9",
        "MY_DB_SERVICE_PORT": "5432",
        "MY_DB_SERVICE_PORT_SQL": "5432",
        "MY_DB_PORT": "tcp://10.254.0.9:5432",
        "MY_DB_PORT_5432_TCP": "tcp://10.254.0.9:5432",
        "MY_DB_PORT_5432_TCP_PROTO": "tcp",
        "MY_DB_PORT_5432_TCP_PORT": "5432",
        "MY_DB_PORT_5432_TCP_ADDR": "10.254.0.9",
    }


def test_kubernetes_service_is_linked_even_without_service_links() -> None:
    def service(name: str, namespace: str) -> Obj:
        return {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"clusterIP": "10.254.0.1", "ports": [{"port": 443}]},
        }

    services = [service("db", "default"), service("kubernetes", "default")]
    assert "DB_SERVICE_HOST" in service_links(pod(), services)
    assert "DB_SERVICE_HOST" not in service_links(pod(enableServiceLinks=False), services)
    elsewhere = pod(enableServiceLinks=False, metadata={"namespace": "other"})
    assert service_links(elsewhere, services)["KUBERNETES_SERVICE_HOST"] == "10.254.0.1"


def test_own_variables_win_over_service_links() -> None:
    service = {
        "metadata": {"name": "db", "namespace": "default"},
        "spec": {"clusterIP": "1.1.1.1", "ports": [{"port": 1}]},
    }
    own = container(env=[{"name": "DB_SERVICE_HOST", "value": "x"}, {"name": "SEEN", "value": "$(DB_SERVICE_PORT)"}])
    result = environment(pod(), own, around(services=[service]))
    assert (result["DB_SERVICE_HOST"], result["SEEN"]) == ("x", "1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("$$(A)", "$(A)"),
        ("$(B)", "$(B)"),
        ("$A $ $( $()", "$A $ $( $()"),
        ("$$$(A)", "$1"),
        ("$(B$(A)", "$(B$(A)"),
        ("$(A)$(A", "1$(A"),
        ("$(A$$)", "$(A$$)"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}.get) == expected


def test_probe_knows_what_the_manifest_spells_out() -> None:
    env = [{"name": "A", "value": "$(B)"}, {"name": "F", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    asked = expand_probe({"command": ["cat", "$(A)/$(F)/$(NO)/$$(A)"]}, container(env=env))
    assert asked == {"command": ["cat", "$(B)//$(NO)/$(A)"]}


def test_command_without_words_is_the_images() -> None:
    assert expand_all([], {}) is None
    assert expand_all(["echo", "$(A)"], {"A": "1"}) == ["echo", "1"]


# --- fields


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web-0"),
        ("metadata.namespace", "default"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "x"),
        ("metadata.annotations['none']", ""),
        ("metadata.labels", 'app="x"\nb="two\\nlines"'),
        ("spec.nodeName", "node"),
        ("spec.serviceAccountName", "me"),
        ("status.podIP", "172.30.0.16"),
        ("status.hostIP", "172.30.0.1"),
    ],
)
def test_field_values(path: str, value: str) -> None:
    of = pod(metadata={"labels": {"b": "two\nlines", "app": "x"}}, serviceAccountName="me")
    assert field_value(of, path, "172.30.0.16", "172.30.0.1", "node") == value


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", None, "2"),
        ("limits.cpu", "1m", "1500"),
        ("requests.memory", "1Mi", "64"),
        ("requests.cpu", None, "0"),
        ("limits.memory", "1Gi", "8"),
    ],
)
def test_resource_values_round_up_and_default_to_the_machine(resource: str, divisor: str | None, value: str) -> None:
    of = pod(container(resources={"limits": {"cpu": "1500m"}, "requests": {"memory": "64Mi"}}))
    ref = {"resource": resource} | ({"divisor": divisor} if divisor else {})
    assert resource_value(of, ref, "web", Machine(4, 8 * 1024**3)) == value


def test_resource_of_an_unknown_container_is_refused() -> None:
    with pytest.raises(UnsupportedField):
        resource_value(pod(), {"resource": "limits.cpu", "containerName": "no"}, "", Machine(1, 1))


def test_maps_are_quoted_as_go_does() -> None:
    of = pod(metadata={"annotations": {"m": 'multi\nline\t"ü"\x07\x1b\u200b\\'}})
    expected = 'm="multi\\nline\\t\\"ü\\"\\a\\x1b\\u200b\\\\"'
    assert field_value(of, "metadata.annotations", "", "", "") == expected


def test_storage_limit_defaults_to_the_machines() -> None:
    ref = {"resource": "limits.ephemeral-storage", "divisor": "1Mi"}
    assert resource_value(pod(), ref, "web", Machine(1, 1, 5 << 20)) == "5"
