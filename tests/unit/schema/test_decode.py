import pytest

from kubelite.errors import StatusError
from kubelite.schema.decode import decode_json, decode_yaml


def test_json_without_duplicates_has_no_complaints() -> None:
    assert decode_json(b'{"a": [1, {"b": null}]}') == ({"a": [1, {"b": None}]}, [])


def test_json_duplicates_are_named_once_with_their_paths_and_the_last_wins() -> None:
    body = b'{"spec": {"replicas": 1, "replicas": 2, "replicas": 3, "list": [{}, {"x": 1, "x": 2}]}, "kind": "A", "kind": "B"}'
    value, complaints = decode_json(body)
    assert value["spec"]["replicas"] == 3
    assert [one.text for one in complaints] == [
        'duplicate field "spec.replicas"',
        'duplicate field "spec.list[1].x"',
        'duplicate field "kind"',
    ]


def test_json_duplicates_are_not_looked_for_when_nobody_asks() -> None:
    assert decode_json(b'{"a": 1, "a": 2}', find_duplicates=False) == ({"a": 2}, [])


@pytest.mark.parametrize("body", [b"", b"{", b"{'a': 1}", b'{"a": \xff}'])
def test_broken_json_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(StatusError) as caught:
        decode_json(body)
    assert caught.value.code == 400


def test_yaml_reads_as_kubernetes_reads_it() -> None:
    text = "date: 2026-01-01\non: yes\n80: [1, 0.5, ~]\nbase: &b {a: 1}\nmerged: {<<: *b, c: 2}\n"
    assert decode_yaml(text)[0] == {
        "date": "2026-01-01",
        "true": True,
        "80": [1, 0.5, None],
        "base": {"a": 1},
        "merged": {"a": 1, "c": 2},
    }


SCALARS = [
    ("12:30", "12:30"),
    ("22:22:22", "22:22:22"),
    ("=", "="),
    ("1e-05", 1e-05),
    ("1e3", 1000.0),
    ("-1.5", -1.5),
    (".5", 0.5),
    ("0755", 493),
    ("0x1F", 31),
    ("-7", -7),
    ("0", 0),
    ("09", "09"),
    ("1.2.3", "1.2.3"),
    ("10.0.0.1/8", "10.0.0.1/8"),
    ("1e", "1e"),
    ("-", None),
    ("~", None),
    ("on", True),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_yaml_scalar_is_what_kubernetes_takes_it_for(text: str, value: object) -> None:
    read, _ = decode_yaml(f"a: [{text}]" if text != "-" else "a:\n-")
    assert read == {"a": [value]}


def test_yaml_duplicates_are_named_with_their_lines() -> None:
    value, complaints = decode_yaml("spec:\n  a: 1\n  a: 2\n")
    assert value == {"spec": {"a": 2}}
    assert [one.text for one in complaints] == ['line 3: key "a" already set in map']


@pytest.mark.parametrize(("text", "line"), [("a:\n\t- b", 2), ("a: b: c", 1), ("a: *unknown", 1)])
def test_broken_yaml_is_a_bad_request_with_the_line(text: str, line: int) -> None:
    with pytest.raises(StatusError, match=f"error converting YAML to JSON: yaml: line {line}: "):
        decode_yaml(text)


def test_empty_yaml_is_null() -> None:
    assert decode_yaml("# nothing\n") == (None, [])
