"""YAML and JSON files -> documents that know where in the file each of their fields stands.

Every document of a file is read by itself, so that a fault in one hides nothing in the others. Called by `apply`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from kubelite.errors import StatusError
from kubelite.manifests.problem import Place, Problem
from kubelite.schema.decode import decode_yaml

Obj = dict[str, Any]
Path = tuple[str | int, ...]

_SEPARATOR = re.compile(r"---(\s|$)")
_TAB = re.compile(r" *\t")


@dataclass(frozen=True, slots=True)
class Node:
    """Where one value stands: its key's place, or its own in a list, and its path."""

    place: Place
    path: Path


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file (`value` is no mapping where something else was written).

    `nodes` finds a place by the field's path as errors write it (`spec.ports[0].port`), in the file's order.
    """

    value: Any
    place: Place
    nodes: dict[str, Node] = field(default_factory=dict)

    def nearest(self, path: str) -> Node:
        """The node at `path`, or the closest around it for a field that isn't there."""
        while path not in self.nodes:
            cut = max(path.rfind("."), path.rfind("["))
            if cut < 0:
                return self.nodes.get("", Node(self.place, ()))
            path = path[:cut]
        return self.nodes[path]


def shown(path: Path) -> str:
    """The path as errors write it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def read(file: str, content: bytes) -> tuple[list[Document], list[Problem]]:
    """All documents of a file that can be read, empty ones left out, and what is wrong with the others."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content[: fault.start].count(b"\n") + 1
        return [], [Problem(Place(file, line, 1), "", f"byte {fault.start + 1} is not UTF-8 text")]
    documents: list[Document] = []
    problems: list[Problem] = []
    for first_line, part in _split(text):
        found, wrong = _read_one(file, first_line, part)
        problems += wrong
        documents += _unpacked(found) if found else []
    return documents, problems


def _split(text: str) -> Iterator[tuple[int, str]]:
    """(number of lines before it, text) of each document."""
    start, lines = 0, text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if _SEPARATOR.match(line):
            yield start, "".join(lines[start:number])
            lines[number] = line[3:]
            start = number
    yield start, "".join(lines[start:])


def _read_one(file: str, before: int, text: str) -> tuple[Document | None, list[Problem]]:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as fault:
        return None, [_syntax(file, before, text, fault)]
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
        return None, []
    walk = _Walk(file, before)
    walk.visit(root, ())
    try:
        value, _ = decode_yaml(text)
    except StatusError as fault:
        return None, [*walk.problems, Problem(walk.place(root.start_mark), "", fault.message)]
    return Document(value, walk.place(root.start_mark), walk.nodes), walk.problems


class _Walk:
    """Notes the place of every value, and keys that stand twice in one mapping."""

    def __init__(self, file: str, before: int) -> None:
        self._file = file
        self._before = before
        self.nodes: dict[str, Node] = {}
        self.problems: list[Problem] = []

    def place(self, mark: yaml.Mark) -> Place:
        return Place(self._file, mark.line + self._before + 1, mark.column + 1)

    def visit(self, node: yaml.Node, path: Path, mark: yaml.Mark | None = None) -> None:
        self.nodes[shown(path)] = Node(self.place(mark or node.start_mark), path)
        if isinstance(node, yaml.MappingNode):
            self._visit_mapping(node, path)
        elif isinstance(node, yaml.SequenceNode):
            for index, entry in enumerate(node.value):
                self.visit(entry, (*path, index))

    def _visit_mapping(self, node: yaml.MappingNode, path: Path) -> None:
        seen: dict[str, int] = {}
        for key, value in node.value:
            inner = (*path, str(key.value))
            if key.value in seen:
                text = f"set twice: first on line {seen[key.value]}, and again here"
                self.problems.append(Problem(self.place(key.start_mark), shown(inner), text))
            seen.setdefault(str(key.value), self.place(key.start_mark).line)
            self.visit(value, inner, key.start_mark)


def _syntax(file: str, before: int, text: str, fault: yaml.YAMLError) -> Problem:
    mark = getattr(fault, "problem_mark", None)
    lines = text.splitlines()
    if mark is None:
        return Problem(Place(file, before + 1, 1), "", " ".join(str(fault).split()))
    for number in (mark.line, mark.line - 1):
        if 0 <= number < len(lines) and _TAB.match(lines[number]):
            place = Place(file, before + number + 1, lines[number].index("\t") + 1)
            return Problem(place, "", "found a tab: YAML indents with spaces")
    place = Place(file, before + mark.line + 1, mark.column + 1)
    if told := _indentation(len(lines), fault, mark, before):
        return Problem(place, "", told)
    text = str(getattr(fault, "problem", fault))
    return Problem(place, "", f"not YAML: {text}", next((hint for part, hint in _HINTS if part in text), ""))


_HINTS = (
    (
        "mapping values are not allowed",
        "is this line indented too deep, or the one above it not enough? (a text with ': ' in it needs quotes)",
    ),
    ("but found '-'", "a list begins here, but the lines above it are fields"),
    ("cannot start any token", "a text that begins with this sign needs quotes"),
    ("could not find expected ':'", "is a ':' missing, or a quote not closed?"),
)


def _indentation(count: int, fault: yaml.YAMLError, mark: yaml.Mark, before: int) -> str:
    """What most often is behind a syntax error: a line that stands at a depth of its own."""
    context = getattr(fault, "context_mark", None)
    if context is None or mark.line >= count or "block" not in str(getattr(fault, "context", "")):
        return ""
    if context.column == mark.column or context.line >= mark.line:
        return ""
    found, wanted, line = mark.column, context.column, before + context.line + 1
    return (
        f"wrong indent: this line begins after {found} spaces, line {line}, with which it seems to go, after {wanted}"
    )


def _unpacked(document: Document) -> list[Document]:
    """The objects of a `List`, each a document of its own."""
    value = document.value
    if not isinstance(value, dict) or value.get("kind") != "List" or not isinstance(value.get("items"), list):
        return [document]
    found: list[Document] = []
    for index, item in enumerate(value["items"]):
        prefix = shown(("items", index))
        nodes = {
            key[len(prefix) :].removeprefix("."): replace(node, path=node.path[2:])
            for key, node in document.nodes.items()
            if node.path[:2] == ("items", index)
        }
        found += _unpacked(Document(item, nodes[""].place, nodes))
    return found
