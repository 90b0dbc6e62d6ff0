"""Values as v1.32 shows them in errors: in Go's notation. PURE; called by the kinds' validation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from kubelite.objects.meta import Obj


def go_labels(labels: Mapping[str, str] | None) -> msgspec.Raw:
    return _raw(_labels(labels))


def go_strings(texts: Iterable[str] | None, type: str = "string") -> msgspec.Raw:
    """A list of that string type."""
    return _raw(f"[]{type}{_strings(texts).removeprefix('[]string')}")


def go_integers(numbers: Iterable[int]) -> msgspec.Raw:
    return _raw(f"[]int32{{{', '.join(map(str, numbers))}}}")


def go_int_or_string(value: int | str) -> msgspec.Raw:
    kind, number, text = (0, value, "") if isinstance(value, int) else (1, 0, value)
    return _raw(f"intstr.IntOrString{{Type:{kind}, IntVal:{number}, StrVal:{_text(text)}}}")


def go_strategy(kind: str, rolling: str, strategy: Obj) -> msgspec.Raw:
    """A strategy of an unknown type; `kind` and `rolling` are the names of the structs."""
    return _raw(f"apps.{kind}{{Type:{_text(strategy.get('type'))}, RollingUpdate:(*apps.{rolling})(nil)}}")


def go_partition(rolling: Obj) -> msgspec.Raw:
    """A StatefulSet's `rollingUpdate`."""
    fields = f"Partition:{rolling.get('partition', 0)}, MaxUnavailable:(*intstr.IntOrString)(nil)"
    return _raw(f"apps.RollingUpdateStatefulSetStrategy{{{fields}}}")


def go_selector(selector: Obj | None) -> msgspec.Raw | None:
    """A label selector, as the pointed-to struct."""
    if selector is None:
        return None
    requirements = selector.get("matchExpressions")
    listed = "(nil)" if requirements is None else f"{{{', '.join(_requirement(entry) for entry in requirements)}}}"
    labels = _labels(selector.get("matchLabels"))
    return _raw(f"v1.LabelSelector{{MatchLabels:{labels}, MatchExpressions:[]v1.LabelSelectorRequirement{listed}}}")


def _requirement(entry: Obj) -> str:
    fields = f"Key:{_text(entry.get('key'))}, Operator:{_text(entry.get('operator'))}"
    return f"v1.LabelSelectorRequirement{{{fields}, Values:{_strings(entry.get('values'))}}}"


def _labels(labels: Mapping[str, str] | None) -> str:
    if labels is None:
        return "map[string]string(nil)"
    return f"map[string]string{{{', '.join(f'{_text(key)}:{_text(labels[key])}' for key in sorted(labels))}}}"


def _strings(texts: Iterable[str] | None) -> str:
    return "[]string(nil)" if texts is None else f"[]string{{{', '.join(_text(text) for text in texts)}}}"


def _text(text: Any) -> str:
    return msgspec.json.encode(text or "").decode()


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())
