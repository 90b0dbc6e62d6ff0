"""What the server found wrong with an object -> problems at the lines of its manifest, with the likely correction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from kubelite.manifests.check import problem
from kubelite.manifests.document import Document
from kubelite.manifests.problem import Problem


def from_causes(document: Document, causes: Iterable[Mapping[str, str]], message: str) -> list[Problem]:
    """One problem for each cause of a Status; its message where it names none."""
    found = [
        problem(document, cause.get("field", ""), cause.get("message", ""), _hint(document.value, cause))
        for cause in causes
    ]
    return found or [Problem(document.place, "", message)]


def _hint(value: Any, cause: Mapping[str, str]) -> str:
    text, path = cause.get("message", ""), cause.get("field", "")
    if "`selector` does not match" in text:
        return f"the selector wants {_labels(value['spec']['selector'].get('matchLabels') or {})}"
    if path == "metadata.name" or path.endswith(".name"):
        return _name(text)
    if "immutable" in text or "are forbidden" in text:
        return "what is there can't become this: delete it first, then apply again"
    return ""


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}: {label}" for key, label in labels.items())


def _name(text: str) -> str:
    """The nearest name that is allowed: small letters, digits and '-'."""
    quoted = re.match(r'Invalid value: "(.*?)": ', text)
    if quoted is None:
        return ""
    better = re.sub(r"[^a-z0-9.-]+", "-", quoted[1].lower()).strip("-.")
    if "label" in text or "1035" in text:
        better = better.replace(".", "-")
    return f'did you mean "{better}"?' if better and better != quoted[1] else ""
