"""Values in Go's notation."""

from __future__ import annotations

import msgspec

from kubelite.registry.kinds.go_notation import go_labels, go_selector


def text(raw: msgspec.Raw | None) -> str:
    return msgspec.json.encode(raw).decode()


def test_labels_are_a_sorted_map() -> None:
    assert text(go_labels({"b": 'say "hi"', "a": "1"})) == r'map[string]string{"a":"1", "b":"say \"hi\""}'
    assert text(go_labels(None)) == "map[string]string(nil)"


def test_selector_is_a_struct_with_its_requirements() -> None:
    requirements = [
        {"key": "tier", "operator": "In", "values": ["db", "web"]},
        {"key": "old", "operator": "DoesNotExist"},
    ]
    assert text(go_selector({"matchLabels": {"a": "b"}, "matchExpressions": requirements})) == (
        'v1.LabelSelector{MatchLabels:map[string]string{"a":"b"}, MatchExpressions:[]v1.LabelSelectorRequirement{'
        'v1.LabelSelectorRequirement{Key:"tier", Operator:"In", Values:[]string{"db", "web"}}, '
        'v1.LabelSelectorRequirement{Key:"old", Operator:"DoesNotExist", Values:[]string(nil)}}}'
    )
    assert text(go_selector(None)) == "null"
