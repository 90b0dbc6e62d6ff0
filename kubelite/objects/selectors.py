"""Label and field selectors: the query-string form, the LabelSelector object, and matching.

Grammar and messages follow apimachinery's `pkg/labels` and `pkg/fields`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kubelite.errors import bad_request


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


_TERM = re.compile(
    r"""\s*(?:
        (?P<absent>!)\s*(?P<absent_key>[^\s,()=!<>]+)
      | (?P<key>[^\s,()=!<>]+)\s*(?:
            (?P<set>in|notin)\s*\((?P<values>[^()]*)\)
          | (?P<equal>==|=|!=)\s*(?P<value>[^\s,()=!<>]*)
          | (?P<order>>|<)\s*(?P<bound>[^\s,()=!<>]+)
        )?
    )\s*(?:,|$)""",
    re.VERBOSE,
)


def parse(text: str) -> Selector:
    """A `labelSelector` query parameter; raises 400 when it can't be read."""
    requirements = []
    at = 0
    while at < len(text) and text[at:].strip():
        found = _TERM.match(text, at)
        if found is None or found.end() == at:
            raise bad_request(f"unable to parse requirement: found '{text[at:].strip()}', in selector '{text}'")
        requirements.append(_requirement(found))
        at = found.end()
    return Selector(tuple(requirements))


def _requirement(found: re.Match[str]) -> Requirement:
    if found["absent"]:
        return Requirement(found["absent_key"], "!")
    key = found["key"]
    if found["set"]:
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(key, found["set"], values)
    if found["equal"]:
        return Requirement(key, "notin" if found["equal"] == "!=" else "in", frozenset([found["value"]]))
    if found["order"]:
        return Requirement(key, "gt" if found["order"] == ">" else "lt", frozenset([found["bound"]]))
    return Requirement(key, "exists")


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


def parse_fields(text: str) -> FieldSelector:
    """A `fieldSelector` query parameter; raises 400 when it can't be read."""
    terms = []
    for term in filter(None, (part.strip() for part in text.split(","))):
        found = re.fullmatch(r"([^=!]+?)\s*(==|=|!=)\s*(.*)", term)
        if found is None:
            raise bad_request(f"invalid field selector: '{term}'; can't understand '{term}'")
        terms.append((found[1], found[2] != "!=", found[3]))
    return FieldSelector(tuple(terms))
