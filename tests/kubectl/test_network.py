"""`run -it`, `attach -it`, `expose`, `cp` of much, and bytes through `port-forward` and the API's proxy."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from tests.kubectl.echo import digest, echo_pod, echoed
from tests.kubectl.shell import Shell

TOOLS = "--image=kubelite/tools:latest --image-pull-policy=IfNotPresent"
FILES = 300
BLOCK, BLOCKS = os.urandom(1 << 20), 32


def test_run_on_a_terminal_gives_the_exit_code_and_removes_the_pod(shell: Shell) -> None:
    typed = "echo $((40 + 2)); sleep 1; stty size; exit 3\n"
    answer = shell.typed(f"run once -it --rm --restart=Never {TOOLS} -- sh", typed, size=(31, 97))
    assert "\n42\n" in answer.text
    assert "\n31 97\n" in answer.text
    assert answer.code == 3
    assert shell.view.list("pods") == []


def test_attach_on_a_terminal_takes_what_is_typed(shell: Shell) -> None:
    shell.ok(f"run waits -it --attach=false --restart=Never {TOOLS} -- sh")
    shell.view.wait("pods", "waits")
    answer = shell.typed("attach -it waits", "echo $((40 + 2)); exit\n")
    assert "\n42\n" in answer.text
    shell.view.wait("pods", "waits", lambda pod: pod["status"]["phase"] == "Succeeded")


def test_expose_of_every_owner(shell: Shell) -> None:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "httpd", "ports": [{"containerPort": 80}]}]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    for kind in ("Deployment", "ReplicaSet"):
        manifest = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": kind.lower()}, "spec": spec}
        shell.ok("apply -f -", input=json.dumps(manifest))
    shell.ok("expose deployment deployment --name=one")
    shell.ok("expose rs replicaset --name=two --port=8080 --target-port=80 --type=NodePort")
    shell.ok("expose service one --name=three --port=81 --protocol=UDP")
    wide = {
        row[0]: (row[1], row[4].partition(":")[0].partition("/")[0], row[6]) for row in shell.rows("get svc -o wide")
    }
    assert wide == {
        "one": ("ClusterIP", "80", "app=web"),
        "two": ("NodePort", "8080", "app=web"),
        "three": ("ClusterIP", "81", "app=web"),
    }


def test_copy_of_many_files_both_ways(shared: Shell) -> None:
    source, back = shared.directory / "many", shared.directory / "back"
    chance = random.Random(1)
    for number in range(FILES):
        path = source / f"d{number % 10}" / "deep er" / f"f {number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(chance.choice((0, 1, 5_000, 100_000))))
    there = f"two:/tmp/many-{shared.minor}"
    shared.run(f"cp {source} {there} -c first")
    shared.run(f"cp {there} {back} -c first")
    assert contents(back) == contents(source)
    assert len(contents(back)) == FILES


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_port_forward_is_byte_exact_both_ways_at_once(shell: Shell) -> None:
    """Inside a WebSocket, and raw as it is with clients before 1.31."""
    shell.ok("apply -f -", input=echo_pod())
    shell.view.wait("pods", "echo")
    for websockets in ("true", "false") if shell.minor > 30 else ("false",):
        with shell.stream("port-forward echo :9000", KUBECTL_PORT_FORWARD_WEBSOCKETS=websockets) as stream:
            port = int(stream.until(r"Forwarding from 127.0.0.1:(\d+) -> 9000")[1])
            assert echoed(port, BLOCK, BLOCKS) == digest(BLOCK, BLOCKS)


@pytest.mark.parametrize("target", ["pods/web-0", "pods/http:web-0:80", "services/web:http", "services/http:web:80"])
def test_get_through_the_proxy(shared: Shell, target: str) -> None:
    path = f"/api/v1/namespaces/{shared.view.namespace}/{target}/proxy/"
    assert "It works!" in shared.ok(f"get --raw {path}")
