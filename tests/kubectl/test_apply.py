"""`kubectl apply`, `diff`, dry runs, and manifests that are refused."""

from __future__ import annotations

import json

from tests.kubectl.shell import Shell, every_version

MANIFEST = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  colour: blue
  size: "1"
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - name: httpd
        image: httpd
        env:
        - name: A
          value: "1"
        - name: B
          value: "2"
"""


@every_version
def test_apply_creates_then_changes_nothing_then_configures(shell: Shell) -> None:
    path = shell.file("web.yaml", MANIFEST)
    assert shell.ok(f"apply -f {path}") == "configmap/settings created\ndeployment.apps/web created\n"
    assert shell.ok(f"apply -f {path}") == "configmap/settings unchanged\ndeployment.apps/web unchanged\n"
    shell.file("web.yaml", MANIFEST.replace("blue", "red"))
    assert shell.ok(f"apply -f {path}") == "configmap/settings configured\ndeployment.apps/web unchanged\n"
    assert shell.ok("get configmap settings -o jsonpath={.data.colour}") == "red"


def test_apply_removes_what_the_manifest_no_longer_has_and_leaves_what_others_set(shell: Shell) -> None:
    shell.ok("apply -f -", input=MANIFEST)
    shell.ok('patch configmap settings -p \'{"data": {"extra": "kept"}}\'')
    shell.ok("set env deployment/web C=3")
    less = MANIFEST.replace('  size: "1"\n', "").replace('        - name: B\n          value: "2"\n', "")
    shell.ok("apply -f -", input=less)
    assert shell.view.get("configmaps", "settings")["data"] == {"colour": "blue", "extra": "kept"}
    (container,) = shell.view.get("deployments", "web")["spec"]["template"]["spec"]["containers"]
    assert {entry["name"]: entry["value"] for entry in container["env"]} == {"A": "1", "C": "3"}


def test_apply_of_what_create_made_warns_once(shell: Shell) -> None:
    manifest = MANIFEST.partition("---")[0]
    shell.ok("create -f -", input=manifest)
    done = shell.run("apply -f -", input=manifest)
    assert (done.returncode, done.stdout) == (0, "configmap/settings configured\n")
    assert "last-applied-configuration" in done.stderr
    assert shell.ok("apply -f -", input=manifest) == "configmap/settings unchanged\n"


@every_version
def test_dry_runs_leave_nothing(shell: Shell) -> None:
    path = shell.file("web.yaml", MANIFEST)
    for mode, told in (("client", "dry run"), ("server", "server dry run")):
        lines = shell.ok(f"apply -f {path} --dry-run={mode}").splitlines()
        assert lines == [f"configmap/settings created ({told})", f"deployment.apps/web created ({told})"]
    assert shell.view.list("deployments") == []
    shown = json.loads(shell.ok("create configmap c --dry-run=server -o json"))
    assert shown["metadata"]["uid"]
    assert [found["metadata"]["name"] for found in shell.view.list("configmaps")] == ["kube-root-ca.crt"]


@every_version
def test_diff_shows_what_apply_would_change(shell: Shell) -> None:
    shell.ok("apply -f -", input=MANIFEST)
    assert shell.ok("diff -f -", input=MANIFEST) == ""
    done = shell.run("diff -f -", input=MANIFEST.replace("blue", "red"))
    assert (done.returncode, done.stderr) == (1, "")
    assert {"-  colour: blue", "+  colour: red"} <= set(done.stdout.splitlines())
    assert not any("replicas" in line for line in done.stdout.splitlines() if line.startswith(("+", "-")))


def test_view_last_applied(shell: Shell) -> None:
    shell.ok("apply -f -", input=MANIFEST)
    assert "colour: blue" in shell.ok("apply view-last-applied configmap/settings")


@every_version
def test_unknown_field_is_refused_and_named(shell: Shell) -> None:
    wrong = MANIFEST.replace("replicas", "replica").partition("---\n")[2]
    told = shell.fails("apply -f -", input=wrong)
    assert 'unknown field "spec.replica"' in told or 'unknown field "replica" in' in told
    assert shell.view.list("deployments") == []


def test_unknown_field_passes_when_validation_is_off(shell: Shell) -> None:
    wrong = MANIFEST.replace("replicas", "replica").partition("---\n")[2]
    done = shell.run("apply --validate=false -f -", input=wrong)
    assert (done.returncode, done.stdout) == (0, "deployment.apps/web created\n")
    if shell.minor >= 25:  # older ones can't tell the server, which warns then
        assert done.stderr == ""
    assert shell.view.get("deployments", "web")["spec"]["replicas"] == 1


def test_invalid_value_is_refused_with_its_path(shell: Shell) -> None:
    wrong = MANIFEST.replace("      app: web\n  template", "      app: other\n  template").partition("---\n")[2]
    told = shell.fails("apply -f -", input=wrong)
    assert 'The Deployment "web" is invalid: spec.template.metadata.labels: Invalid value' in told
    assert "`selector` does not match template `labels`" in told


@every_version
def test_unknown_kind_is_refused(shell: Shell) -> None:
    told = shell.fails("apply -f -", input="apiVersion: apps/v1\nkind: StatefullSet\nmetadata:\n  name: x\n")
    assert 'no matches for kind "StatefullSet" in version "apps/v1"' in told


def test_immutable_field_is_refused(shell: Shell) -> None:
    shell.ok("apply -f -", input=MANIFEST)
    told = shell.fails("apply -f -", input=MANIFEST.replace("app: web", "app: changed"))
    assert "spec.selector: Invalid value" in told
    assert "field is immutable" in told


def test_apply_prunes_by_label(shell: Shell) -> None:
    both = MANIFEST.replace("  name: settings\n", "  name: settings\n  labels: {part: x}\n").replace(
        "  name: web\n", "  name: web\n  labels: {part: x}\n", 1
    )
    shell.ok("apply -f -", input=both)
    allowed = "--prune-allowlist" if shell.minor >= 26 else "--prune-whitelist"
    answer = shell.ok(f"apply --prune -l part=x {allowed}=core/v1/ConfigMap -f -", input=both.partition("---\n")[2])
    assert answer.splitlines() == ["deployment.apps/web unchanged", "configmap/settings pruned"]


def test_kustomization(shell: Shell) -> None:
    shell.file("cm.yaml", MANIFEST.partition("---")[0])
    shell.file("kustomization.yaml", "resources: [cm.yaml]\nnamePrefix: my-\n")
    assert shell.ok("apply -k .") == "configmap/my-settings created\n"


@every_version
def test_server_side_apply(shell: Shell) -> None:
    applied = ["configmap/settings serverside-applied", "deployment.apps/web serverside-applied"]
    assert shell.ok("apply --server-side -f -", input=MANIFEST).splitlines() == applied
    less = MANIFEST.replace('  size: "1"\n', "")
    assert shell.ok("apply --server-side -f -", input=less).splitlines() == applied
    assert shell.view.get("configmaps", "settings")["data"] == {"colour": "blue"}
    other = less.replace("blue", "red")
    told = shell.fails("apply --server-side --field-manager=other -f -", input=other)
    assert 'conflict with "kubectl": .data.colour' in told
    shell.ok("apply --server-side --field-manager=other --force-conflicts -f -", input=other)
    assert shell.view.get("configmaps", "settings")["data"] == {"colour": "red"}
