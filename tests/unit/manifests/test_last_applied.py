"""The annotation of apply, as the notes' `describe` shows it."""

from __future__ import annotations

import json

from kubelite.manifests.last_applied import ANNOTATION, encoded, remembered, with_memory


def test_memory_has_kubectls_form() -> None:
    obj = {
        "kind": "Service",
        "apiVersion": "v1",
        "spec": {"selector": {"app": "httpd-app"}, "ports": [{"port": 80}]},
        "metadata": {"name": "httpd-svc", "namespace": "default"},
    }
    assert with_memory(obj)["metadata"]["annotations"] == {
        ANNOTATION: '{"apiVersion":"v1","kind":"Service","metadata":{"annotations":{},"name":"httpd-svc",'
        '"namespace":"default"},"spec":{"ports":[{"port":80}],"selector":{"app":"httpd-app"}}}\n'
    }


def test_memory_does_not_hold_itself() -> None:
    obj = {"kind": "A", "metadata": {"name": "x", "annotations": {"mine": "1"}}}
    twice = with_memory(with_memory(obj))
    assert twice == with_memory(obj)
    assert remembered(twice) == obj


def test_text_is_escaped_and_numbers_are_written_as_go_does() -> None:
    assert encoded({"a": "<&>é\u2028", "b": 1.0, "c": 0.5}) == '{"a":"\\u003c\\u0026\\u003eé\\u2028","b":1,"c":0.5}\n'
    assert json.loads(encoded({"a": "<&>"})) == {"a": "<&>"}


def test_object_without_readable_memory_has_none() -> None:
    assert remembered({"metadata": {}}) == {}
    assert remembered({"metadata": {"annotations": {ANNOTATION: "{"}}}) == {}
