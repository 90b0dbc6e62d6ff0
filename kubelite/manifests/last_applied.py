"""The annotation in which apply remembers what it was given last, in kubectl's form, so that either may go on."""

from __future__ import annotations

import json
from typing import Any

Obj = dict[str, Any]

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
# Go's encoder writes these so that the text may stand in HTML.
_ESCAPED = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def remembered(obj: Obj) -> Obj:
    """What was applied last; empty when the object was made in another way."""
    text = (obj["metadata"].get("annotations") or {}).get(ANNOTATION)
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def with_memory(obj: Obj) -> Obj:
    """`obj` with the annotation that holds all of it but the annotation itself."""
    metadata = obj["metadata"]
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != ANNOTATION}
    plain = {**obj, "metadata": {**metadata, "annotations": annotations}}
    return {**obj, "metadata": {**metadata, "annotations": {**annotations, ANNOTATION: encoded(plain)}}}


def encoded(obj: Obj) -> str:
    """One line of JSON with sorted keys, and the line's end."""
    text = json.dumps(_whole(obj), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.translate(_ESCAPED) + "\n"


def _whole(value: Any) -> Any:
    """Go writes 1.0 as 1."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
