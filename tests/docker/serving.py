"""What the tests of service rules serve and how they ask: manifests, requests, and whether shares are even."""

from __future__ import annotations

import http.client
import json
import math
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from kubelite.testing.namespace import Namespace

TELL_NAME = "hostname > /usr/local/apache2/htdocs/index.html; exec httpd-foreground"
ECHO = (
    "use IO::Socket::INET; chomp($name = `hostname`);"
    '$s = IO::Socket::INET->new(LocalPort => 9000, Proto => "udp") or die;'
    "$SIG{TERM} = sub { exit }; while (1) { $s->recv($m, 100); $s->send($name); }"
)
TOOLS = """\
apiVersion: v1
kind: Pod
metadata:
  name: tools
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: tools
    image: kubelite/tools:latest
    imagePullPolicy: IfNotPresent
    command: [sleep, infinity]
"""
# A chance of one in a million that even shares look uneven: chi-square by degrees of freedom.
CHI_SQUARE = {1: 23.9, 2: 27.6, 3: 30.7, 4: 33.4, 9: 44.8}


def web(name: str, replicas: int, **container: Any) -> str:
    """A Deployment of httpd pods that answer with their names."""
    main = {
        "name": "httpd",
        "image": "httpd",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", TELL_NAME],
        "ports": [{"name": "http", "containerPort": 80}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
        **container,
    }
    return deployment(name, replicas, main)


def datagram_server(name: str) -> str:
    """A Deployment of one pod that answers datagrams at port 9000 with its name."""
    main = {"name": "echo", "image": "httpd", "imagePullPolicy": "IfNotPresent", "command": ["perl", "-e", ECHO]}
    return deployment(name, 1, main)


def deployment(name: str, replicas: int, container: dict[str, Any]) -> str:
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 3},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return _manifest("apps/v1", "Deployment", name, spec)


def host_port_pod(name: str, *ports: dict[str, Any], command: Sequence[str] = ("sh", "-c", TELL_NAME)) -> str:
    """A pod that answers with its name at ports of its node."""
    main = {"name": "c", "image": "httpd", "imagePullPolicy": "IfNotPresent", "command": command, "ports": ports}
    return _manifest("v1", "Pod", name, {"containers": [main], "terminationGracePeriodSeconds": 0})


def service(name: str, **spec: Any) -> str:
    """By default for the pods of the same name, from port 80 to port 80."""
    wanted = {"selector": {"app": name}, "ports": [{"port": 80}], **spec}
    return _manifest("v1", "Service", name, {key: value for key, value in wanted.items() if value is not None})


def _manifest(version: str, kind: str, name: str, spec: dict[str, Any]) -> str:
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}, indent=1) + "\n"


def names(view: Namespace, app: str) -> set[str]:
    """The pods behind a Service."""
    return {pod["metadata"]["name"] for pod in view.list("pods", f"app={app}")}


def fetch(host: str, port: int, timeout: float = 5) -> str:
    """What one new connection from the host got; "" when there was none."""
    with closing(http.client.HTTPConnection(host, port, timeout=timeout)) as connection:
        try:
            connection.request("GET", "/", headers={"Connection": "close"})
            return connection.getresponse().read().decode().strip()
        except (OSError, http.client.HTTPException):
            return ""


def balanced(answers: Counter[str]) -> bool:
    """Whether the counts may come from even shares (Pearson's chi-square test)."""
    expected = answers.total() / len(answers)
    distance = math.fsum((count - expected) ** 2 / expected for count in answers.values())
    return distance < CHI_SQUARE[len(answers) - 1]
