"""`kubelite apply` against a real API: create, update, and all of a call or nothing."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from kubelite.cli.main import main
from kubelite.manifests.last_applied import ANNOTATION
from tests.unit.cli.conftest import Server

DEMO = Path(__file__).parents[3] / "kubelite" / "demo"
SET = "/apis/apps/v1/namespaces/default/statefulsets/statefulset-test"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata: {{a: {value}}}\n"

pytestmark = pytest.mark.usefixtures("server")


def apply(*arguments: str) -> int:
    return main(["apply", *arguments])


def test_notes_manifest_is_created_then_unchanged_then_configured(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = DEMO / "statefulset-pvc-test.yaml"
    assert apply("-f", str(original)) == 0
    assert apply("-f", str(original)) == 0
    scaled = tmp_path / "scaled.yaml"
    scaled.write_text(original.read_text().replace("replicas: 3", "replicas: 1"))
    assert apply("-f", str(scaled)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "service/headless-svc created",
        "statefulset.apps/statefulset-test created",
        "service/headless-svc unchanged",
        "statefulset.apps/statefulset-test unchanged",
        "service/headless-svc unchanged",
        "statefulset.apps/statefulset-test configured",
    ]
    stored = server.client.get(SET)
    assert stored["spec"]["replicas"] == 1
    assert json.loads(stored["metadata"]["annotations"][ANNOTATION])["spec"]["replicas"] == 1


def test_what_the_manifest_drops_is_removed_and_what_others_set_stays(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    path = "/api/v1/namespaces/default/configmaps/x"
    file.write_text(CONFIG_MAP.format(name="x", value='"1", b: "2"'))
    apply("-f", str(file))
    server.client.request("PATCH", path, {"data": {"c": "3"}}, content_type="application/merge-patch+json")
    file.write_text(CONFIG_MAP.format(name="x", value='"9"'))
    apply("-f", str(file))
    assert server.client.get(path)["data"] == {"a": "9", "c": "3"}


def test_one_wrong_document_keeps_all_others_from_being_created(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "manifests"
    directory.mkdir()
    (directory / "a.yaml").write_text(CONFIG_MAP.format(name="fine", value='"1"'))
    wrong = (DEMO / "statefulset-test.yaml").read_text()
    (directory / "b.yaml").write_text(
        wrong.replace("serviceName", "serviceNam").replace("name: headless-svc\n", "name: Headless\n")
    )
    assert apply("-f", str(directory)) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "error: 2 problems; nothing was created or changed"
    assert told[1].startswith(f'{directory}/b.yaml:4:3: metadata.name: Invalid value: "Headless": a ')
    assert told[1].endswith('; did you mean "headless"?')
    assert told[2] == f'{directory}/b.yaml:21:3: spec.serviceNam: unknown field; did you mean "serviceName"?'
    assert server.client.find("/api/v1/namespaces/default/configmaps/fine") is None


def test_selector_that_does_not_match_is_led_back_to_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "set.yaml"
    text = (DEMO / "statefulset-test.yaml").read_text()
    file.write_text(text.replace("      labels:\n        app: headless-pod", "      labels:\n        app: other"))
    assert apply("-f", str(file)) == 1
    told = capsys.readouterr().err
    assert f"{file}:28:7: spec.template.metadata.labels: Invalid value" in told
    assert "the selector wants app: headless-pod" in told


def test_namespace_may_be_created_in_the_same_call(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "all.yaml"
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: mine}\n---\n"
    inside = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: mine}\nspec:\n  ports: [{port: %s}]\n"
    file.write_text(namespace + inside % 99999)
    assert apply("-f", str(file)) == 1
    assert f"{file}:9:12: spec.ports[0].port: Invalid value: 99999" in capsys.readouterr().err
    assert server.client.find("/api/v1/namespaces/mine") is None
    file.write_text(namespace + inside % 80)
    assert apply("-f", str(file)) == 0
    assert capsys.readouterr().out.splitlines() == ["namespace/mine created", "service/web created"]


def test_namespace_option_places_what_names_none_and_contradicts_what_names_another(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "map.yaml"
    file.write_text(CONFIG_MAP.format(name="x", value='"1"'))
    assert apply("-f", str(file), "-n", "kube-system") == 0
    assert server.client.find("/api/v1/namespaces/kube-system/configmaps/x")
    file.write_text(CONFIG_MAP.format(name="x\n  namespace: default", value='"1"'))
    assert apply("-f", str(file), "-n", "kube-system") == 1
    assert f'{file}:5:3: metadata.namespace: is "default", but -n says "kube-system"' in capsys.readouterr().err


def test_manifest_comes_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = CONFIG_MAP.format(name="x", value="1").encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert apply("-f", "-") == 1
    assert 'stdin:5:8: data.a: must be text, but is 1; put it in quotes: "1"' in capsys.readouterr().err


def test_unknown_kind_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("apiVersion: apps/v1\nkind: StatefulSets\nmetadata: {name: x}\n")
    assert apply("-f", str(file)) == 1
    assert 'there is no kind StatefulSets in apps/v1; did you mean "StatefulSet"?' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "error: {file}: No such file or directory"),
        ("# nothing\n", "error: there is no object in what was given"),
    ],
)
def test_nothing_to_apply_is_told(
    content: str | None, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.yaml"
    if content is not None:
        file.write_text(content)
    assert apply("-f", str(file)) == 1
    assert capsys.readouterr().err.startswith(expected.format(file=file))
