"""Row S19 of the notes: each kind of slip in a StatefulSet, and the correction that is offered."""

from __future__ import annotations

import textwrap

import pytest

from kubelite.manifests.check import check, unknown_kind
from kubelite.manifests.document import read

STATEFUL_SET = """\
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: web
spec:
  serviceName: web
  replicas: 3
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - image: httpd
        name: httpd
        ports:
        - containerPort: 80
        volumeMounts:
        - mountPath: /mnt
          name: data
  volumeClaimTemplates:
  - metadata:
      name: data
    spec:
      accessModes: [ "ReadWriteOnce" ]
      resources:
        requests:
          storage: 100Mi
"""


def told(text: str) -> list[str]:
    documents, problems = read("web.yaml", text.encode())
    return [str(problem) for problem in [*problems, *(one for document in documents for one in check(document))]]


def changed(old: str, new: str) -> str:
    assert STATEFUL_SET.count(old) == 1
    return STATEFUL_SET.replace(old, new)


def test_right_manifest_has_no_problem() -> None:
    assert told(STATEFUL_SET) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("serviceName:", "serviceNam:", '6:3: spec.serviceNam: unknown field; did you mean "serviceName"?'),
        ("serviceName:", "servicename:", '6:3: spec.servicename: unknown field; did you mean "serviceName"?'),
        ("mountPath:", "mountpath:", 'spec.template.spec.containers[0].volumeMounts[0].mountpath: unknown field; did you mean "mountPath"?'),
        ("          storage: 100Mi\n", "          storage: 100Mi\nreplicas: 3\n", '32:1: replicas: unknown field'),
        ("  replicas: 3\n", "", ""),
        ("  serviceName: web\n  replicas: 3\n", "serviceName: web\n", '7:11: not YAML: mapping values are not allowed here; is this line indented too deep, or the one above it not enough?'),
        ("  replicas: 3", "    replicas: 3", "7:13: not YAML: mapping values are not allowed here"),
        ("  serviceName: web\n", "", ""),
        ("\n  template:", "\n    template:", '11:5: spec.selector.template: unknown field; "template" belongs into spec: indent it 2 spaces less deep'),
        ("          storage:", "        storage:", '31:9: spec.volumeClaimTemplates[0].spec.resources.storage: unknown field; "storage" belongs into spec.volumeClaimTemplates[0].spec.resources.requests: indent it 2 spaces deeper'),
        ("        name: httpd\n", "      name: httpd\n", "19:14: not YAML: mapping values are not allowed here; is this line indented too deep, or the one above it not enough?"),
        ("      app: web\n  template", "    app: web\n  template", '10:5: spec.selector.app: unknown field; "app" belongs into spec.selector.matchLabels: indent it 2 spaces deeper'),
        ("replicas: 3", 'replicas: "3"', '7:3: spec.replicas: must be a whole number, but is the text "3"; leave out the quotes: 3'),
        ("replicas: 3", "replicas: [3]", "7:3: spec.replicas: must be a whole number, but is a list"),
        ("name: web\n", "name: 7\n", '4:3: metadata.name: must be text, but is 7; put it in quotes: "7"'),
        ('[ "ReadWriteOnce" ]', "ReadWriteOnce", 'accessModes: must be a list, but is the text "ReadWriteOnce"; did you mean ["ReadWriteOnce"]?'),
        ("- containerPort: 80", "  containerPort: 80", 'ports: must be a list, but is a mapping; begin each entry with "- "'),
        ("100Mi", "100MB", 'requests.storage: must be a quantity such as 100Mi, 1.5Gi or 500m, but is the text "100MB"; did you mean "100Mi" or "100M"?'),
        ("100Mi", "100mi", 'did you mean "100Mi"?'),
        ("100Mi", "a lot", 'but is the text "a lot"'),
        ("  name: web\n", "", "3:1: metadata.name: is missing"),
        ("  name: web\n", "  generateName: web-\n", "metadata.generateName: apply needs a name"),
        ("kind: StatefulSet\n", "Kind: StatefulSet\n", '1:1: kind: is missing; found "Kind" in its place'),
        ("apiVersion: apps/v1\n", "", "1:1: apiVersion: is missing"),
        ("  selector:", "  lables: {}\n  selector:", "8:3: spec.lables: unknown field"),
    ],
)  # fmt: skip
def test_slip_is_told_with_its_line_and_the_likely_correction(old: str, new: str, expected: str) -> None:
    found = told(changed(old, new))
    assert bool(found) == bool(expected)
    assert expected in "\n".join(found)


def test_all_slips_are_told_at_once() -> None:
    text = changed("serviceName:", "serviceNam:").replace("replicas: 3", "replicas: three").replace("100Mi", "100 MB")
    assert [line.split(": ")[1] for line in told(text)] == [
        "spec.serviceNam",
        "spec.replicas",
        "spec.volumeClaimTemplates[0].spec.resources.requests.storage",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("- a\n- b\n", "this is a list, not an object"), ("hello\n", "this is plain text, not an object")],
)
def test_document_that_is_no_object_is_told(text: str, expected: str) -> None:
    assert expected in told(text)[0]


@pytest.mark.parametrize(
    ("api_version", "kind", "expected"),
    [
        ("v1", "StatefulSet", '1:1: apiVersion: v1 has no kind StatefulSet; did you mean "apps/v1"?'),
        ("apps/v1beta1", "Deployment", 'did you mean "apps/v1"?'),
        ("apps/v1", "StatefulSets", '2:1: kind: there is no kind StatefulSets in apps/v1; did you mean "StatefulSet"?'),
        ("apps/v1", "statefulset", 'did you mean "StatefulSet"?'),
        ("v1", "Servise", 'did you mean "Service"?'),
        ("batch/v1", "Job", "Job is a kind of Kubernetes that kubelite doesn't serve"),
        ("example.com/v1", "Frobnicator", "there is no kind Frobnicator in example.com/v1"),
    ],
)
def test_unknown_kind_is_told_with_the_likely_one(api_version: str, kind: str, expected: str) -> None:
    text = textwrap.dedent(f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: x}}\n")
    [document] = read("web.yaml", text.encode())[0]
    assert expected in str(unknown_kind(document))
