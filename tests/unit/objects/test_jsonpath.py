"""JSONPaths of printer columns."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.objects import jsonpath

OBJECT = {
    "metadata": {"labels": {"example.com/a": "b"}},
    "spec": {"replicas": 3, "names": ["x", "y", "z"], "on": False, "nothing": None},
    "status": {
        "conditions": [{"type": "Ready", "status": "True", "n": 1}, {"type": "Live", "status": "False", "n": 5}]
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.replicas", [3]),
        (".spec.on", [False]),
        (".spec.missing", []),
        (".spec.replicas.deeper", []),
        (r".metadata.labels.example\.com/a", ["b"]),
        (".metadata.labels['example.com/a']", ["b"]),
        (".spec.names[0]", ["x"]),
        (".spec.names[-1]", ["z"]),
        (".spec.names[5]", []),
        (".spec.names[1:]", ["y", "z"]),
        (".spec.names[*]", ["x", "y", "z"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Live')].status", ["False"]),
        (".status.conditions[?(@.n>2)].type", ["Live"]),
        (".status.conditions[*].type", ["Ready", "Live"]),
        ("spec", []),
        ("", []),
    ],
)
def test_what_a_path_finds(path: str, found: list[Any]) -> None:
    assert jsonpath.find(OBJECT, path) == found


@pytest.mark.parametrize(
    ("path", "names"), [(".spec.replicas", ["spec", "replicas"]), (".spec.names[0]", None), (".a.*", None), ("x", None)]
)
def test_plain_paths_are_names(path: str, names: list[str] | None) -> None:
    assert jsonpath.names(path) == names


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), (True, "true"), (3, "3"), (None, "<nil>"), (["a", 1], '["a",1]'), ({"a": 1}, '{"a":1}')],
)
def test_values_as_text(value: Any, text: str) -> None:
    assert jsonpath.text(value) == text
