"""kubectl's answers without kubectl, from a real API."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from kubelite.cli.daily import Daily, watch_pods
from kubelite.cli.execute import exit_code
from kubelite.cli.failure import Failure
from tests.unit.cli.conftest import Server

DEMO = Path(__file__).parents[3] / "kubelite" / "demo"


@pytest.fixture
def kubectl(server: Server) -> Daily:
    return Daily(server.client, DEMO)


def test_get_prints_the_servers_table(kubectl: Daily) -> None:
    head, row = kubectl.run(["get", "svc"]).splitlines()
    assert head.split() == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert row.split()[:5] == ["kubernetes", "ClusterIP", "10.254.0.1", "<none>", "443/TCP"]
    assert "SELECTOR" in kubectl.run(["get", "svc", "-o", "wide"])
    assert "true" in kubectl.run(["get", "sc"])


def test_get_of_several_kinds_says_which_is_which(kubectl: Daily) -> None:
    answer = kubectl.run(["get", "ns,sc"])
    assert "\nnamespace/default " in answer
    assert "\nstorageclass.storage.k8s.io/managed-nfs-storage " in answer


def test_applied_service_is_described_scaled_and_deleted(kubectl: Daily) -> None:
    assert kubectl.run(["apply", "-f", "httpd-svc.yaml", "-f", "statefulset-test.yaml"]).splitlines() == [
        "service/httpd-svc created",
        "service/headless-svc created",
        "statefulset.apps/statefulset-test created",
    ]
    told = kubectl.run(["describe", "svc", "httpd-svc"])
    assert "NodePort:                 <unset>  8768/TCP\n" in told
    assert "Endpoints:                <none>\n" in told
    assert kubectl.run(["scale", "statefulset/statefulset-test", "--replicas=1"]) == (
        "statefulset.apps/statefulset-test scaled\n"
    )
    assert kubectl.run(["delete", "statefulset", "statefulset-test"]) == 'statefulset.apps "statefulset-test" deleted\n'
    assert kubectl.run(["delete", "statefulset", "statefulset-test", "--ignore-not-found"]) == ""
    with pytest.raises(Failure, match=r'statefulsets\.apps "statefulset-test" not found'):
        kubectl.run(["delete", "statefulset", "statefulset-test"])


def test_unknown_type_is_told(kubectl: Daily) -> None:
    with pytest.raises(Failure, match='doesn\'t have a resource type "frobs"'):
        kubectl.run(["get", "frobs"])


def test_wait_returns_when_the_condition_comes(kubectl: Daily, server: Server) -> None:
    kubectl.run(["apply", "-f", "tools.yaml"])

    def become_ready() -> None:
        path = "/api/v1/namespaces/default/pods/tools/status"
        status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        server.client.request("PATCH", path, status, content_type="application/merge-patch+json")

    timer = threading.Timer(0.1, become_ready)
    timer.start()
    waiting = Daily(type(server.client).of(server.settings), DEMO)
    assert waiting.run(["wait", "--for=condition=Ready", "pod/tools"]) == "pod/tools condition met\n"
    waiting._client.close()
    timer.join()


def test_watch_begins_where_it_is_asked_for(kubectl: Daily, server: Server) -> None:
    events = watch_pods(server.client, "app=x", 5)
    pod = {"metadata": {"name": "a", "labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    server.client.request("POST", "/api/v1/namespaces/default/pods", pod)
    event = next(events)
    assert (event.type, event.name, event.ready, event.status) == ("ADDED", "a", "0/1", "Pending")
    assert not event.is_ready


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"status": "Success"}, 0),
        ({"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "7"}]}}, 7),
    ],
)
def test_exit_code_is_the_commands_own(status: dict[str, object], expected: int) -> None:
    assert exit_code(status) == expected
