"""Defaults of pod specs and templates, against what a real API server answered to the same manifest."""

from __future__ import annotations

import pytest

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.pod import POD
from kubelite.registry.kinds.podspec_defaults import default_pod, default_pull_policy, default_template


def defaulted(spec: Obj) -> Obj:
    spec = meta.copy(spec)
    default_pod(spec)
    return spec


def container(**fields: object) -> Obj:
    (made,) = defaulted({"containers": [{"name": "c", "image": "httpd:2.4", **fields}]})["containers"]
    return made


def volume(**source: object) -> Obj:
    (made,) = defaulted({"containers": [], "volumes": [{"name": "v", **source}]})["volumes"]
    return made


def test_template_gets_what_a_real_server_fills_in() -> None:
    template = {
        "metadata": {"labels": {"app": "headless-pod"}},
        "spec": {
            "containers": [
                {
                    "image": "httpd:2.4",
                    "imagePullPolicy": "IfNotPresent",
                    "name": "myhttpd",
                    "ports": [{"containerPort": 80, "name": "httpd"}],
                    "volumeMounts": [{"mountPath": "/mnt", "name": "test"}],
                }
            ]
        },
    }
    default_template(template)
    assert template == {
        "metadata": {"creationTimestamp": None, "labels": {"app": "headless-pod"}},
        "spec": {
            "containers": [
                {
                    "name": "myhttpd",
                    "image": "httpd:2.4",
                    "ports": [{"name": "httpd", "containerPort": 80, "protocol": "TCP"}],
                    "resources": {},
                    "volumeMounts": [{"name": "test", "mountPath": "/mnt"}],
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                    "imagePullPolicy": "IfNotPresent",
                }
            ],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        },
    }


def test_empty_template_gets_metadata_and_spec() -> None:
    template: Obj = {}
    default_template(template)
    assert template["metadata"] == {"creationTimestamp": None}
    assert template["spec"]["restartPolicy"] == "Always"


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("httpd", "Always"),
        ("httpd:latest", "Always"),
        ("registry.local:5000/team/httpd", "Always"),
        ("httpd:2.4", "IfNotPresent"),
        ("registry.local:5000/team/httpd:2.4", "IfNotPresent"),
        ("httpd@sha256:" + "0" * 64, "IfNotPresent"),
        ("httpd:latest@sha256:" + "0" * 64, "Always"),
        ("Not A Reference", "IfNotPresent"),
        ("", "IfNotPresent"),
    ],
)
def test_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert default_pull_policy(image) == policy


def test_pod_alone_gets_service_links_and_requests_from_limits() -> None:
    spec = {"containers": [{"name": "c", "image": "i:1", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}]}
    made = defaulted(spec | {"initContainers": [{"name": "i", "image": "i:1", "resources": {"limits": {"cpu": "2"}}}]})
    assert made["enableServiceLinks"] is True
    assert made["containers"][0]["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}
    assert made["initContainers"][0]["resources"]["requests"] == {"cpu": "2"}
    template: Obj = {"spec": meta.copy(spec)}
    default_template(template)
    assert "enableServiceLinks" not in template["spec"]
    assert "requests" not in template["spec"]["containers"][0]["resources"]


def test_requests_that_are_given_stay() -> None:
    resources = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}}
    assert container(resources=resources)["resources"]["requests"] == {"cpu": "100m", "memory": "1Gi"}


def test_amounts_finer_than_thousandths_are_rounded_up() -> None:
    assert container(resources={"requests": {"cpu": "100100u"}})["resources"]["requests"] == {"cpu": "101m"}


def test_host_network_takes_the_container_ports() -> None:
    ports = [{"containerPort": 80}, {"containerPort": 81, "hostPort": 81}]
    made = defaulted({"hostNetwork": True, "containers": [{"name": "c", "image": "i", "ports": ports}]})
    assert [port["hostPort"] for port in made["containers"][0]["ports"]] == [80, 81]


def test_service_account_is_written_under_its_old_name_too() -> None:
    for field in ("serviceAccountName", "serviceAccount"):
        made = defaulted({"containers": [], field: "robot"})
        assert (made["serviceAccountName"], made["serviceAccount"]) == ("robot", "robot")


@pytest.mark.parametrize("kind", ["livenessProbe", "readinessProbe", "startupProbe"])
def test_probe_gets_its_numbers_and_its_request(kind: str) -> None:
    made = container(**{kind: {"httpGet": {"port": 80}, "periodSeconds": 3}})[kind]
    assert made == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 3,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def test_grpc_probe_asks_for_the_server_as_a_whole() -> None:
    assert container(livenessProbe={"grpc": {"port": 9}})["livenessProbe"]["grpc"] == {"port": 9, "service": ""}


def test_lifecycle_hook_gets_path_and_scheme() -> None:
    made = container(lifecycle={"preStop": {"httpGet": {"port": "web"}}})
    assert made["lifecycle"]["preStop"]["httpGet"] == {"port": "web", "path": "/", "scheme": "HTTP"}


def test_env_references_get_version_and_divisor() -> None:
    variables = [
        {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "B", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
    ]
    made = container(env=variables)["env"]
    assert made[0]["valueFrom"]["fieldRef"] == {"fieldPath": "metadata.name", "apiVersion": "v1"}
    assert made[1]["valueFrom"]["resourceFieldRef"] == {"resource": "limits.cpu", "divisor": "0"}


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ({}, {"emptyDir": {}}),
        ({"emptyDir": None}, {"emptyDir": {}}),
        ({"hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}),
        ({"secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 420}}),
        ({"configMap": {"name": "c", "defaultMode": 256}}, {"configMap": {"name": "c", "defaultMode": 256}}),
        (
            {"downwardAPI": {"items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.uid"}}]}},
            {
                "downwardAPI": {
                    "items": [{"path": "p", "fieldRef": {"fieldPath": "metadata.uid", "apiVersion": "v1"}}],
                    "defaultMode": 420,
                }
            },
        ),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
            {
                "projected": {
                    "sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}],
                    "defaultMode": 420,
                }
            },
        ),
        (
            {"ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
            {
                "ephemeral": {
                    "volumeClaimTemplate": {
                        "metadata": {"creationTimestamp": None},
                        "spec": {"volumeMode": "Filesystem"},
                    }
                }
            },
        ),
    ],
)
def test_volume_source_gets_its_defaults(source: Obj, made: Obj) -> None:
    assert volume(**source) == {"name": "v", **made}


def test_ephemeral_containers_get_the_defaults_of_containers() -> None:
    spec = defaulted({"containers": [], "ephemeralContainers": [{"name": "debug", "image": "tools"}]})
    assert spec["ephemeralContainers"][0]["imagePullPolicy"] == "Always"
    assert spec["ephemeralContainers"][0]["terminationMessagePolicy"] == "File"


def test_defaults_change_nothing_the_second_time() -> None:
    pod = {
        "metadata": {"name": "p"},
        "spec": {
            "hostNetwork": True,
            "serviceAccount": "robot",
            "containers": [
                {
                    "name": "c",
                    "image": "httpd",
                    "ports": [{"containerPort": 80}],
                    "livenessProbe": {"tcpSocket": {"port": 80}},
                    "resources": {"limits": {"cpu": "1"}},
                    "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                }
            ],
            "volumes": [{"name": "v"}, {"name": "w", "configMap": {"name": "x"}}],
        },
    }
    POD.default(pod)
    once = meta.copy(pod)
    POD.default(pod)
    assert pod == once


def test_fields_of_features_that_are_off_are_dropped() -> None:
    spec = defaulted(
        {
            "hostUsers": False,
            "resources": {"limits": {"cpu": "1"}},
            "securityContext": {"supplementalGroupsPolicy": "Strict", "fsGroup": 1},
            "containers": [
                {
                    "name": "c",
                    "image": "i:1",
                    "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
                    "securityContext": {"procMount": "Unmasked"},
                }
            ],
        }
    )
    assert spec.keys().isdisjoint(("hostUsers", "resources"))
    assert spec["securityContext"] == {"fsGroup": 1}
    assert spec["containers"][0]["securityContext"] == {"procMount": "Default"}
    assert "resizePolicy" not in spec["containers"][0]
