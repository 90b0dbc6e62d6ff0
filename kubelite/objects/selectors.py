"""Label and field selectors: the LabelSelector object, and matching, after apimachinery's `pkg/labels` and `fields`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term: `operator` is in, notin, exists, !, or for ordered values gt, lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        present = self.key in labels
        if self.operator == "exists":
            return present
        if self.operator == "!":
            return not present
        if self.operator == "in":
            return present and labels[self.key] in self.values
        if self.operator == "notin":
            return not present or labels[self.key] not in self.values
        return present and self._compares(labels[self.key])

    def _compares(self, value: str) -> bool:
        (bound,) = self.values
        try:
            return int(value) > int(bound) if self.operator == "gt" else int(value) < int(bound)
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; an empty selector matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)

    @property
    def empty(self) -> bool:
        return not self.requirements


EVERYTHING = Selector()
NOTHING = Selector((Requirement("\0", "exists"),))


def from_labels(labels: Mapping[str, str] | None) -> Selector:
    """The selector of a Service or of `matchLabels`: every label equal."""
    return Selector(tuple(Requirement(key, "in", frozenset([value])) for key, value in (labels or {}).items()))


_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
_NODE_OPERATORS = _OPERATORS | {"Gt": "gt", "Lt": "lt"}


def from_label_selector(selector: Mapping[str, Any] | None) -> Selector:
    """metav1.LabelSelector; None matches nothing and `{}` everything, as upstream has it."""
    if selector is None:
        return NOTHING
    terms = from_labels(selector.get("matchLabels")).requirements
    return Selector(terms + _expressions(selector.get("matchExpressions"), _OPERATORS))


def from_node_expressions(expressions: list[dict[str, Any]] | None) -> Selector:
    """A NodeSelectorTerm's expressions, which also know Gt and Lt."""
    return Selector(_expressions(expressions, _NODE_OPERATORS))


def _expressions(expressions: list[dict[str, Any]] | None, operators: Mapping[str, str]) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(term["key"], operators[term["operator"]], frozenset(term.get("values") or ()))
        for term in expressions or ()
    )


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """`path=value` and `path!=value` terms, all of which must hold."""

    terms: tuple[tuple[str, bool, str], ...] = ()

    def matches(self, read: Callable[[str], str]) -> bool:
        """`read` gives the object's value of a path, "" where it has none."""
        return all((read(path) == value) is equal for path, equal, value in self.terms)

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.terms]

    def required(self, path: str) -> str | None:
        """The one value that `path` must have, if the selector says so."""
        return next((value for term, equal, value in self.terms if term == path and equal), None)
