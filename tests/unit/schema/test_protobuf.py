"""`kubectl_bodies.json` holds request bodies that kubectl 1.33 sent, and what its `--dry-run=client` printed."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from kubelite.errors import StatusError
from kubelite.schema import protobuf
from kubelite.schema.model import definition_for
from kubelite.schema.strict import check

BODIES = json.loads((Path(__file__).parent / "kubectl_bodies.json").read_text())


def typed(obj: dict[str, Any]) -> Any:
    group, _, version = obj["apiVersion"].rpartition("/")
    definition = definition_for(group, version, obj["kind"])
    assert definition is not None
    result = check(obj, definition)
    assert not result.errors
    assert not result.unknown
    return result.object


def without_empty(value: Any) -> Any:
    """Objects held by value are printed by Go also when they are empty."""
    if isinstance(value, dict):
        items = {key: without_empty(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item != {}}
    return [without_empty(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", BODIES)
def test_real_bodies_decode_to_what_kubectl_prints(name: str) -> None:
    case = BODIES[name]
    decoded = protobuf.decode(base64.b64decode(case["body"]))
    assert typed(decoded) == decoded
    if "decoded" in case:
        assert decoded == case["decoded"]
    else:
        printed = without_empty(typed(case["dryRun"]))
        if "namespace" not in decoded["metadata"]:
            printed["metadata"].pop("namespace", None)
        assert without_empty(decoded) == printed


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def wire(*fields: tuple[int, Any]) -> bytes:
    encoded = b""
    for number, value in fields:
        if isinstance(value, int):
            encoded += varint(number << 3) + varint(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            encoded += varint(number << 3 | 2) + varint(len(content)) + content
    return encoded


def body(api_version: str, kind: str, message: bytes) -> bytes:
    return b"k8s\x00" + wire((1, wire((1, api_version), (2, kind))), (2, message), (3, ""), (4, ""))


def spec_of(api_version: str, kind: str, *fields: tuple[int, Any]) -> Any:
    return protobuf.decode(body(api_version, kind, wire((2, wire(*fields))))).get("spec", {})


@pytest.mark.parametrize(
    ("fields", "spec"),
    [
        ([(1, 0)], {"replicas": 0}),
        ([(9, 0)], {}),
        ([(9, 5)], {"minReadySeconds": 5}),
        ([(5, "")], {"serviceName": ""}),
        ([(6, "")], {}),
        ([(10, wire((1, "Delete"), (2, "")))], {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}),
        ([(11, wire((1, 3)))], {"ordinals": {"start": 3}}),
        ([(7, wire((1, "RollingUpdate"), (2, wire((1, 0), (2, wire((1, 1), (3, "50%")))))))],
         {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": "50%"}}}),
        ([(99, "from the future")], {}),
    ],
)  # fmt: skip
def test_zeros_count_only_where_they_can_be_told_from_absence(fields: list[Any], spec: dict[str, Any]) -> None:
    assert spec_of("apps/v1", "StatefulSet", *fields) == spec


def test_pod_with_every_special_type() -> None:
    probe = wire((1, wire((2, wire((1, "/"), (2, wire((1, 1), (3, "web"))))))), (2, 0), (7, 0))
    container = wire(
        (1, "c"), (2, "httpd"), (11, probe), (24, "Always"),
        (8, wire((1, wire((1, "cpu"), (2, wire((1, "500m"))))))),
        (7, wire((1, "A"), (2, ""), (3, wire((4, wire((1, wire((1, "secret"))), (2, "key"), (3, 0)))))))
    )  # fmt: skip
    volume = wire((1, "v"), (2, wire((2, wire()))))
    hidden = wire((1, "s"), (2, wire((6, wire((1, "x"), (3, 0))))))
    assert spec_of(
        "v1", "Pod", (1, volume), (1, hidden), (2, container), (4, 0), (11, 0), (21, 0), (27, 0), (37, 0)
    ) == {
        "volumes": [{"name": "v", "emptyDir": {}}, {"name": "s", "secret": {"secretName": "x", "defaultMode": 0}}],
        "containers": [
            {
                "name": "c",
                "image": "httpd",
                "readinessProbe": {"httpGet": {"path": "/", "port": "web"}, "terminationGracePeriodSeconds": 0},
                "restartPolicy": "Always",
                "resources": {"limits": {"cpu": "500m"}},
                "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "key", "optional": False}}}],
            }
        ],
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "shareProcessNamespace": False,
        "hostUsers": False,
    }  # fmt: skip


def test_times_numbers_and_free_form_values() -> None:
    owner = wire((1, "Pod"), (3, "p"), (4, "u"), (5, "v1"), (6, 1), (7, 0))
    meta = wire((1, "r"), (8, wire((1, 1767225600), (2, 0))), (9, wire()), (11, wire((1, "a"), (2, ""))), (13, owner))
    revision = body("apps/v1", "ControllerRevision", wire((1, meta), (2, wire((1, '{"spec": [1]}'))), (3, -1)))
    assert protobuf.decode(revision) == {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": "r",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"a": ""},
            "ownerReferences": [
                {
                    "kind": "Pod",
                    "name": "p",
                    "uid": "u",
                    "apiVersion": "v1",
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "data": {"spec": [1]},
        "revision": -1,
    }
    lease = spec_of("coordination.k8s.io/v1", "Lease", (1, "me"), (2, 40), (4, wire((1, 1767225600), (2, 1000))))
    assert lease == {"holderIdentity": "me", "leaseDurationSeconds": 40, "renewTime": "2026-01-01T00:00:00.000001Z"}


def test_time_begins_in_the_year_one() -> None:
    seconds = -62135596800 + 2
    lease = spec_of("coordination.k8s.io/v1", "Lease", (4, wire((1, seconds))))
    assert lease == {"renewTime": "0001-01-01T00:00:02.000000Z"}


def test_bytes_become_base64() -> None:
    secret = body("v1", "Secret", wire((2, wire((1, "k"), (2, b"\x00\xff"))), (3, "Opaque")))
    assert protobuf.decode(secret) == {"apiVersion": "v1", "kind": "Secret", "data": {"k": "AP8="}, "type": "Opaque"}


def test_delete_options_eviction_and_scale() -> None:
    options = wire((1, 0), (2, wire((1, "uid"))), (4, "Foreground"), (5, "All"))
    assert protobuf.decode(body("apps/v1", "DeleteOptions", options)) == {
        "apiVersion": "apps/v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "uid"},
        "propagationPolicy": "Foreground",
        "dryRun": ["All"],
    }
    eviction = protobuf.decode(body("policy/v1", "Eviction", wire((1, wire((1, "p"))), (2, wire((1, 5))))))
    assert eviction["deleteOptions"] == {"gracePeriodSeconds": 5}
    assert spec_of("autoscaling/v1", "Scale", (1, 2)) == {"replicas": 2}
    binding = protobuf.decode(body("v1", "Binding", wire((1, wire((1, "p"))), (2, wire((1, "Node"), (3, "n"))))))
    assert binding["target"] == {"kind": "Node", "name": "n"}


def test_lists_in_maps_and_packed_numbers() -> None:
    review = spec_of(
        "authorization.k8s.io/v1", "SubjectAccessReview", (5, wire((1, "k"), (2, wire((1, "a"), (1, "b")))))
    )
    assert review == {"extra": {"k": ["a", "b"]}}
    packed = wire((4, varint(5) + varint(300)))
    security = spec_of("v1", "Pod", (14, packed))
    assert security == {"securityContext": {"supplementalGroups": [5, 300]}}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{}", 400),
        (b"k8s\x00\xff", 400),
        (b"k8s\x00\x0a\x7f", 400),
        (body("v1", "Pod", b"\x0a\x05"), 400),
        (body("v1", "Pod", wire((1, 7))), 400),
        (body("example.com/v1", "Widget", b""), 415),
    ],
)
def test_what_cannot_be_read_is_refused(content: bytes, code: int) -> None:
    with pytest.raises(StatusError) as caught:
        protobuf.decode(content)
    assert caught.value.code == code


def test_schemas_of_custom_resources() -> None:
    text = wire((5, b"string"))
    properties = [(29, wire((1, name), (2, inner))) for name, inner in (
        (b"list", wire((5, b"array"), (24, wire((1, text))))),
        (b"map", wire((5, b"object"), (30, wire((1, 1), (2, text))))),
        (b"any", wire((5, b"object"), (30, wire((1, 1))))),
        (b"small", wire((5, b"string"), (8, wire((1, b'"d"'))), (20, wire((1, b'"d"'))), (13, 0), (38, 1))),
    )]  # fmt: skip
    schema = wire((5, b"object"), *properties)
    version = wire((1, b"v1"), (2, 1), (3, 1), (4, wire((1, schema))), (5, wire((1, b""))))
    spec = wire((1, b"e.com"), (3, wire((1, b"xs"), (4, b"X"))), (4, b"Cluster"), (7, version))
    kind = wire((1, b"apiextensions.k8s.io/v1"), (2, b"CustomResourceDefinition"))
    decoded = protobuf.decode(b"k8s\0" + wire((1, kind), (2, wire((2, spec)))))
    (found,) = decoded["spec"]["versions"]
    assert (found["served"], found["storage"], found["subresources"]) == (True, True, {"status": {}})
    assert found["schema"]["openAPIV3Schema"]["properties"] == {
        "list": {"type": "array", "items": {"type": "string"}},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "any": {"type": "object", "additionalProperties": True},
        "small": {
            "type": "string",
            "default": "d",
            "enum": ["d"],
            "maxLength": 0,
            "x-kubernetes-preserve-unknown-fields": True,
        },
    }
