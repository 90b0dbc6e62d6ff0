"""What the declarations of workloads share: rules about selector and template, int-or-percent fields, Table cells.

After upstream's `apis/apps/validation` and its printers.
"""

from __future__ import annotations

import re
from dataclasses import replace

from kubelite.errors import forbidden_field, invalid_value, not_supported, required
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_label_selector
from kubelite.registry import validation
from kubelite.registry.kind import Column
from kubelite.registry.kinds.go_notation import go_int_or_string, go_labels, go_selector
from kubelite.registry.kinds.podspec_rules import Errors
from kubelite.registry.printing import NONE

CONTAINER_COLUMNS = (
    Column("Containers", description="The names of its pods' containers.", priority=1),
    Column("Images", description="The images that they run.", priority=1),
)
SELECTOR_COLUMN = Column("Selector", description="The labels of the pods that are its own.", priority=1)

MISMATCH = "`selector` does not match template `labels`"
_PERCENT = "[0-9]+%"
_PERCENT_TEXT = "a valid percent string must be a numeric string followed by an ending '%'"


def selector_and_labels(spec: Obj, kind: str, *, needs_selector: bool = True) -> Errors:
    """`spec.selector`, and that it matches the labels of `spec.template`; `kind` is the word in the message."""
    selector = spec.get("selector")
    errors = validation.label_selector("spec.selector", selector)
    readable = not any(error.path.endswith(".operator") for error in errors)
    if selector is None and needs_selector:
        errors.append(required("spec.selector"))
    empty = selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions")
    if empty:
        errors.append(invalid_value("spec.selector", go_selector(selector), f"empty selector is invalid for {kind}"))
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if not readable:
        errors.append(invalid_value("spec.selector", go_selector(selector), "invalid label selector"))
    elif not from_label_selector(selector).matches(labels):
        errors.append(invalid_value("spec.template.metadata.labels", go_labels(labels or None), MISMATCH))
    return errors


def unchanged_selector(spec: Obj, before: Obj) -> Errors:
    faults = validation.unchanged("spec.selector", spec.get("selector"), before.get("selector"))
    return [replace(fault, value=go_selector(spec.get("selector"))) for fault in faults]


def runs_for_ever(spec: Obj, kind: str) -> Errors:
    """Pods of workloads restart always and have no deadline; `kind` is the name in the message."""
    template = spec["template"]["spec"]
    errors: Errors = []
    if template.get("restartPolicy") != "Always":
        policy = template.get("restartPolicy")
        errors.append(not_supported("spec.template.spec.restartPolicy", policy, ["Always"]))
    if template.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        errors.append(forbidden_field("spec.template.spec.activeDeadlineSeconds", text))
    return errors


def not_negative(spec: Obj, *names: str) -> Errors:
    return [error for name in names for error in validation.not_negative(f"spec.{name}", spec.get(name))]


def int_or_percent(path: str, value: int | str) -> Errors:
    if isinstance(value, int):
        return validation.not_negative(path, value)
    if re.fullmatch(_PERCENT, value):
        return []
    text = validation.pattern_message(_PERCENT_TEXT, _PERCENT, "1%", "93%")
    return [invalid_value(path, go_int_or_string(value), text)]


def at_most_all(path: str, value: int | str) -> Errors:
    if isinstance(value, str) and re.fullmatch(_PERCENT, value) and amount(value) > 100:
        return [invalid_value(path, go_int_or_string(value), "must not be greater than 100%")]
    return []


def amount(value: int | str) -> int:
    """The number of an int-or-percent, whichever it is; what isn't one counts as 0."""
    if isinstance(value, int):
        return value
    return int(value[:-1]) if re.fullmatch(_PERCENT, value) else 0


def container_cells(spec: Obj) -> tuple[str, str]:
    """Names and images of the template's containers."""
    containers = spec["template"]["spec"].get("containers") or ()
    return ",".join(c.get("name") or "" for c in containers), ",".join(c.get("image") or "" for c in containers)


def selector_cell(selector: Obj | None) -> str:
    """A LabelSelector as the query string that would select the same."""
    terms = [(key, f"{key}={value}") for key, value in ((selector or {}).get("matchLabels") or {}).items()]
    for term in (selector or {}).get("matchExpressions") or ():
        key, values = term["key"], ",".join(sorted(term.get("values") or ()))
        shown = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        terms.append((key, shown.get(term["operator"], "")))
    return ",".join(text for _, text in sorted(terms)) or NONE
