"""The server's findings, led back to lines."""

from __future__ import annotations

import pytest

from kubelite.manifests.answers import from_causes
from kubelite.manifests.document import read

TEXT = b"""\
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: My_Web
spec:
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: other
"""


@pytest.mark.parametrize(
    ("field", "message", "expected"),
    [
        (
            "spec.template.metadata.labels",
            'Invalid value: map[string]string{"app":"other"}: `selector` does not match template `labels`',
            "web.yaml:11:7: spec.template.metadata.labels: Invalid value: "
            'map[string]string{"app":"other"}: `selector` does not match template `labels`; the selector wants app: web',
        ),
        (
            "metadata.name",
            'Invalid value: "My_Web": a lowercase RFC 1123 label must ...',
            'web.yaml:4:3: metadata.name: Invalid value: "My_Web": a lowercase RFC 1123 label must ...; '
            'did you mean "my-web"?',
        ),
        (
            "spec.template.spec.containers",
            "Required value",
            "web.yaml:9:3: spec.template.spec.containers: Required value",
        ),
        (
            "spec",
            "Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
            "web.yaml:5:1: spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden; "
            "what is there can't become this: delete it first, then apply again",
        ),
    ],
)
def test_cause_is_told_at_its_line(field: str, message: str, expected: str) -> None:
    [document] = read("web.yaml", TEXT)[0]
    found = from_causes(document, [{"reason": "x", "field": field, "message": message}], "all in one")
    assert [str(problem) for problem in found] == [expected]


def test_answer_without_causes_is_told_at_the_document() -> None:
    [document] = read("web.yaml", TEXT)[0]
    assert [str(problem) for problem in from_causes(document, [], "forbidden")] == ["web.yaml:1:1: forbidden"]
