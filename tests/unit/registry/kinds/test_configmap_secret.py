import base64

import pytest

from kubelite.objects.meta import Obj
from kubelite.registry.kinds.configmap import CONFIG_MAP
from kubelite.registry.kinds.secret import SECRET

MIB = 1024 * 1024


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_string_data_ends_up_in_data(cluster) -> None:
    made = cluster.create(SECRET, {"data": {"a": encoded("1"), "b": encoded("2")}, "stringData": {"b": "x", "c": "y"}})
    assert made["data"] == {"a": encoded("1"), "b": encoded("x"), "c": encoded("y")}
    assert "stringData" not in made
    assert made["type"] == "Opaque"


@pytest.mark.parametrize(
    ("secret", "messages"),
    [
        (
            {"data": {"a b": ""}},
            [
                'data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric characters, '
                "'-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
                "regex used for validation is '[-._a-zA-Z0-9]+')"
            ],
        ),
        ({"stringData": {"k": "x" * (MIB + 1)}}, ["data: Too long: may not be more than 1048576 bytes"]),
        ({"type": "kubernetes.io/tls"}, ["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
        ({"type": "kubernetes.io/dockerconfigjson"}, ["data[.dockerconfigjson]: Required value"]),
        (
            {"type": "kubernetes.io/service-account-token"},
            ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
        ),
        (
            {"type": "kubernetes.io/basic-auth"},
            ["data[%s][username]: Required value", "data[%s][password]: Required value"],
        ),
        ({"type": "mine.io/any"}, []),
        ({"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{}"}}, []),
    ],
)
def test_wrong_secret_is_refused(cluster, refused, secret: Obj, messages: list[str]) -> None:
    assert refused(lambda: cluster.create(SECRET, secret)) == messages


def test_secret_keeps_its_type(cluster, refused) -> None:
    old = cluster.create(SECRET, {})
    assert refused(lambda: cluster.update(SECRET, old, lambda new: new.update(type="x"))) == [
        'type: Invalid value: "x": field is immutable'
    ]


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"immutable": False}, ["immutable"]),
        ({"data": {"k": "eQ=="}}, ["data"]),
        ({"immutable": None, "data": {}}, ["immutable", "data"]),
        ({"metadata": {"name": "x", "namespace": "default", "labels": {"a": "b"}}}, []),
    ],
)
@pytest.mark.parametrize("kind", [SECRET, CONFIG_MAP])
def test_immutable_one_stays_as_it_is(cluster, refused, kind, change: Obj, fields: list[str]) -> None:
    old = cluster.create(kind, {"data": {"k": "eA=="}, "immutable": True})
    expected = [f"{field}: Forbidden: field is immutable when `immutable` is set" for field in fields]
    assert refused(lambda: cluster.update(kind, old, lambda new: new.update(change))) == expected


@pytest.mark.parametrize(
    ("config", "messages"),
    [
        ({"data": {"..": ""}}, ["data[..]: Invalid value: \"..\": must not be '..'"]),
        (
            {"data": {"k": "x"}, "binaryData": {"k": "eA=="}},
            ['data[k]: Invalid value: "k": duplicate of key present in binaryData'],
        ),
        ({"data": {"k": "x" * (MIB + 1)}}, ["[]: Too long: may not be more than 1048576 bytes"]),
    ],
)
def test_wrong_config_map_is_refused(cluster, refused, config: Obj, messages: list[str]) -> None:
    assert refused(lambda: cluster.create(CONFIG_MAP, config)) == messages


def test_rows_count_the_keys(cluster, now) -> None:
    config = cluster.create(CONFIG_MAP, {"data": {"a": "1", "b": "2"}, "binaryData": {"c": "eA=="}})
    secret = cluster.create(SECRET, {"stringData": {"a": "1"}})
    assert CONFIG_MAP.row(config, now) == ["x", 3, "10s"]
    assert SECRET.row(secret, now) == ["x", "Opaque", 1, "10s"]
    assert SECRET.fields["type"](secret) == "Opaque"
