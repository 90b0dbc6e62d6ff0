"""Files -> documents: what is where, and what can't be read."""

from __future__ import annotations

import textwrap

import pytest

from kubelite.manifests.document import Document, read
from kubelite.manifests.problem import Place


def documents(text: str) -> list[Document]:
    found, problems = read("web.yaml", textwrap.dedent(text).encode())
    assert problems == []
    return found


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read("web.yaml", textwrap.dedent(text).encode())[1]]


def test_every_field_knows_its_place() -> None:
    [document] = documents("""\
        # a comment
        kind: Pod
        metadata: {name: web}
        spec:
          containers:
          - name: a
            ports: [{containerPort: 80}]
        """)
    places = {path: (node.place.line, node.place.column) for path, node in document.nodes.items()}
    assert places["kind"] == (2, 1)
    assert places["metadata.name"] == (3, 12)
    assert places["spec.containers[0]"] == (6, 5)
    assert places["spec.containers[0].ports[0].containerPort"] == (7, 14)
    assert document.nearest("spec.containers[0].image").place == Place("web.yaml", 6, 5)
    assert document.nearest("status.phase").place == Place("web.yaml", 2, 1)


def test_documents_of_one_file_count_lines_from_its_beginning() -> None:
    first, second = documents("""\
        a: 1
        ---
        # nothing in this one
        ---
        b: 2
        """)
    assert (first.value, second.value) == ({"a": 1}, {"b": 2})
    assert second.nodes["b"].place.line == 5


def test_document_begins_on_the_separator_line() -> None:
    [document] = documents("--- {a: 1}\n")
    assert document.value == {"a": 1}


def test_list_is_taken_apart() -> None:
    found = documents("""\
        kind: List
        items:
        - kind: A
          metadata: {name: x}
        - kind: B
        """)
    assert [document.value["kind"] for document in found] == ["A", "B"]
    assert found[0].nodes["metadata.name"].place == Place("web.yaml", 4, 14)
    assert found[0].nodes["metadata.name"].path == ("metadata", "name")
    assert found[1].place.line == 5


def test_json_is_read_too() -> None:
    [document] = documents('{"kind": "Pod",\n "metadata": {"name": "web"}}\n')
    assert document.nodes["metadata"].place == Place("web.yaml", 2, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metadata:\n\tname: web\n", "web.yaml:2:1: found a tab: YAML indents with spaces"),
        ("metadata:\n  name: web\n \tlabels: {}\n", "web.yaml:3:2: found a tab: YAML indents with spaces"),
        (
            "spec:\n  a: 1\n   b: 2\n",
            "web.yaml:3:5: not YAML: mapping values are not allowed here; is this line indented too deep, "
            "or the one above it not enough? (a text with ': ' in it needs quotes)",
        ),
        (
            "spec:\n  a: 1\n b: 2\n",
            "web.yaml:3:2: wrong indent: this line begins after 1 spaces, line 1, with which it seems to go, after 0",
        ),
        (
            "ports:\n  port: 80\n  - port: 81\n",
            "web.yaml:3:3: not YAML: expected <block end>, but found '-'; "
            "a list begins here, but the lines above it are fields",
        ),
        ("a: 1\nb: 2\na: 3\n", "web.yaml:3:1: a: set twice: first on line 1, and again here"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, expected: str) -> None:
    assert problems(text) == [expected]


def test_fault_in_one_document_hides_nothing_in_the_others() -> None:
    found, wrong = read("web.yaml", b"a: 1\n---\n\tb: 2\n---\nc: 3\nc: 4\n")
    assert [document.value for document in found] == [{"a": 1}, {"c": 4}]
    assert [problem.place.line for problem in wrong] == [3, 6]


def test_text_that_is_not_utf8_is_told_with_its_line() -> None:
    assert str(read("web.yaml", b"a: 1\nb: \xff\n")[1][0]) == "web.yaml:2:1: byte 9 is not UTF-8 text"
