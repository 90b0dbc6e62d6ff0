"""`kubectl create TYPE`, `run`, `expose`, `delete`. From 1.32 on the first of them send protobuf bodies."""

from __future__ import annotations

import base64
import json
import subprocess

import pytest

from tests.kubectl.shell import Shell, every_version

TYPES = {
    "configmap c --from-literal=a=b": "configmap/c",
    "secret generic s --from-literal=a=b": "secret/s",
    "secret docker-registry d --docker-username=u --docker-password=p": "secret/d",
    "deployment d --image=httpd": "deployment.apps/d",
    "service clusterip s --tcp=80": "service/s",
    "service clusterip h --clusterip=None": "service/h",
    "service nodeport n --tcp=80:8080": "service/n",
    "service loadbalancer l --tcp=80": "service/l",
    "service externalname e --external-name=example.org": "service/e",
    "serviceaccount a": "serviceaccount/a",
    "role r --verb=get,list --resource=pods": "role.rbac.authorization.k8s.io/r",
    "rolebinding b --role=r --serviceaccount=default:a": "rolebinding.rbac.authorization.k8s.io/b",
}
CLUSTER_WIDE = {
    "namespace NAME": "namespace/NAME",
    "clusterrole NAME --verb=get --resource=pods": "clusterrole.rbac.authorization.k8s.io/NAME",
    "clusterrolebinding NAME --clusterrole=c --user=u": "clusterrolebinding.rbac.authorization.k8s.io/NAME",
    "priorityclass NAME --value=1000": "priorityclass.scheduling.k8s.io/NAME",
}


@every_version
def test_create_of_every_type_and_delete(shell: Shell) -> None:
    for arguments, shown in TYPES.items():
        assert shell.ok(f"create {arguments}") == f"{shown} created\n"
    lines = [f'{kind} "{name}" deleted' for kind, _, name in (shown.partition("/") for shown in TYPES.values())]
    deleted = shell.ok(f"delete {' '.join(TYPES.values())} --wait=false").splitlines()
    assert [line.partition(" from ")[0] for line in deleted] == lines


@pytest.mark.parametrize("arguments", CLUSTER_WIDE, ids=lambda text: text.split()[0])
def test_create_and_delete_of_cluster_wide_types(shell: Shell, arguments: str) -> None:
    name = f"{shell.view.namespace}-x"
    shown = CLUSTER_WIDE[arguments].replace("NAME", name)
    assert shell.ok(f"create {arguments.replace('NAME', name)}") == f"{shown} created\n"
    assert shell.ok(f"get {shown} -o name") == f"{shown}\n"
    assert "already exists" in shell.fails(f"create {arguments.replace('NAME', name)}")
    assert f'"{name}" deleted' in shell.ok(f"delete {shown}")
    assert "NotFound" in shell.fails(f"get {shown}")


@every_version
def test_create_token(shell: Shell) -> None:
    if shell.minor >= 24:  # the verb is that old
        shell.ok("create serviceaccount robot")
        token = shell.ok("create token robot --duration=1h")
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        assert claims["sub"] == f"system:serviceaccount:{shell.view.namespace}:robot"
        assert claims["exp"] - claims["iat"] == 3600


def test_create_tls_secret(shell: Shell) -> None:
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=a -days 1"
    subprocess.run(
        [*command.split(), "-keyout", "tls.key", "-out", "tls.crt"],
        cwd=shell.directory,
        check=True,
        capture_output=True,
    )
    assert shell.ok("create secret tls t --cert=tls.crt --key=tls.key") == "secret/t created\n"
    assert shell.ok("get secret t -o jsonpath={.type}") == "kubernetes.io/tls"


def test_create_from_a_file_refuses_what_is_there(shell: Shell) -> None:
    text = shell.ok("create configmap c --from-literal=a=b --dry-run=client -o yaml")
    assert shell.ok("create -f -", input=text) == "configmap/c created\n"
    assert 'configmaps "c" already exists' in shell.fails("create -f -", input=text)
    assert shell.ok("replace -f -", input=text.replace("a: b", "a: c")) == "configmap/c replaced\n"
    assert shell.ok("get configmap c -o jsonpath={.data.a}") == "c"


def test_generated_name(shell: Shell) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: made-\n"
    assert shell.ok("create -f -", input=text).startswith("configmap/made-")


def test_run_and_expose(shell: Shell) -> None:
    assert shell.ok("run web --image=httpd --port=80 --labels=app=web") == "pod/web created\n"
    assert shell.ok("expose pod web --port=8080 --target-port=80") == "service/web exposed\n"
    shell.view.wait("pods", "web")
    shell.view.wait("endpoints", "web", lambda found: bool(found.get("subsets")))
    address = shell.view.get("pods", "web")["status"]["podIP"]
    assert shell.rows("get endpoints web")[0][1] == f"{address}:80"


@every_version
def test_run_attached_gives_the_output_and_removes_the_pod(shell: Shell) -> None:
    done = shell.run(
        "run once --image=kubelite/tools:latest --image-pull-policy=IfNotPresent --restart=Never --rm -i --quiet"
        " -- sh -c 'cat; echo done'",
        input="given\n",
    )
    assert (done.returncode, done.stdout) == (0, "given\ndone\n")
    assert shell.view.list("pods") == []


def test_delete_by_label_and_all(shell: Shell) -> None:
    for name, label in (("a", "x=1"), ("b", "x=1"), ("c", "x=2")):
        shell.ok(f"create configmap {name}")
        shell.ok(f"label configmap {name} {label}")
    deleted = shell.ok("delete configmap -l x=1").splitlines()
    assert [line.split()[:2] for line in deleted] == [["configmap", '"a"'], ["configmap", '"b"']]
    assert shell.ok("delete configmap missing --ignore-not-found") == ""
    assert shell.fails("delete configmap missing") == 'Error from server (NotFound): configmaps "missing" not found\n'


def test_delete_waits_for_the_pod_to_be_gone(shell: Shell) -> None:
    shell.ok("run web --image=httpd")
    shell.view.wait("pods", "web")
    shell.ok("delete pod web --grace-period=1")
    assert shell.view.list("pods") == []


def test_forced_delete(shell: Shell) -> None:
    shell.ok("run web --image=httpd")
    shell.view.wait("pods", "web")
    done = shell.run("delete pod web --force --grace-period=0")
    assert done.returncode == 0
    assert "mmediate deletion does not wait" in done.stderr
    assert shell.view.list("pods") == []


def test_delete_cascades_unless_told_otherwise(shell: Shell) -> None:
    shell.ok("create deployment d --image=httpd")
    shell.view.wait("deployments", "d")
    shell.ok("delete deployment d --cascade=orphan")
    (replica_set,) = shell.view.list("replicasets")
    name = replica_set["metadata"]["name"]
    assert not replica_set["metadata"].get("ownerReferences")
    shell.ok(f"delete replicaset {name} --cascade=foreground")
    assert shell.view.list("pods") == []
