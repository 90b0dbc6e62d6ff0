"""Service rules under real traffic: from a pod and from the host, rows S3-S5 of the notes and their open question."""

from __future__ import annotations

import functools
import http.client
import json
import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from dns.resolver import Resolver

from kubelite.cli.client import Obj
from kubelite.testing.cluster import Cluster
from kubelite.testing.namespace import CommandError, Namespace
from tests.docker.running_cluster import eventually
from tests.docker.serving import ECHO, TOOLS, balanced, datagram_server, fetch, host_port_pod, names, service, web

CONNECTIONS = 1000
REFUSED = 7  # curl's exit code for a connection that could not be made
TIMED_OUT = 28


@pytest.fixture(scope="module")
def view(kubelite_cluster: Cluster) -> Iterator[Namespace]:
    """Three web servers `web` that tell their names, one `self`, and a pod to ask from."""
    with kubelite_cluster.fresh_namespace("proxy") as view:
        view.apply(web("web", 3))
        view.apply(web("self", 1))
        view.apply(TOOLS)
        view.apply(service("web", type="NodePort", ports=[{"port": 80, "targetPort": "http"}]))
        view.apply(service("empty", selector={"app": "nobody"}))
        for name in ("web", "self"):
            view.wait("deployments", name)
        view.wait("pods", "tools")
        yield view


def address(view: Namespace, name: str) -> str:
    found: str = view.get("services", name)["spec"]["clusterIP"]
    return found


def ask(view: Namespace, url: str, times: int = 1) -> list[str]:
    """Lines that as many connections from the pod `tools` got."""
    glob = f"?n=[1-{times}]"
    return view.exec("tools", "curl", "-sS", "-m", "5", "-H", "Connection: close", f"{url}/{glob}").splitlines()


# ClusterIP


def test_every_pod_gets_its_share_of_a_pods_connections(view: Namespace) -> None:
    answers = Counter(ask(view, f"http://{address(view, 'web')}", CONNECTIONS))
    assert answers.keys() == names(view, "web")
    assert balanced(answers)


def test_every_pod_gets_its_share_of_the_hosts_connections(view: Namespace) -> None:
    answers = Counter(fetch(address(view, "web"), 80) for _ in range(CONNECTIONS))
    assert answers.keys() == names(view, "web")
    assert balanced(answers)


def test_service_is_reached_by_name(view: Namespace) -> None:
    assert ask(view, f"http://web.{view.namespace}")[0] in names(view, "web")


def test_pods_are_told_of_the_service_address_of_dns(view: Namespace) -> None:
    assert f"nameserver {view.settings.dns_service_address}" in view.exec("tools", "cat", "/etc/resolv.conf")


def test_name_server_answers_at_its_service_address_from_the_host(view: Namespace) -> None:
    resolver = Resolver(configure=False)
    resolver.nameservers = [str(view.settings.dns_service_address)]
    name = f"web.{view.namespace}.svc.cluster.local"
    for over_tcp in (False, True):
        assert [str(record) for record in resolver.resolve(name, tcp=over_tcp)] == [address(view, "web")]


def test_pod_reaches_itself_through_its_service(view: Namespace) -> None:
    view.apply(service("self"))
    eventually(lambda: fetch(address(view, "self"), 80))
    (pod,) = names(view, "self")
    request = f"exec 3<>/dev/tcp/{address(view, 'self')}/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
    assert view.exec(pod, "bash", "-c", request).endswith(f"{pod}\n")


def test_server_sees_the_pod_that_asks(view: Namespace) -> None:
    client = view.get("pods", "tools")["status"]["podIP"]
    (answered,) = ask(view, f"http://{address(view, 'web')}")
    eventually(lambda: f"{client} - - " in view.logs(answered), told=lambda: view.logs(answered))


def test_service_without_ready_pods_refuses_at_once(view: Namespace) -> None:
    with pytest.raises(CommandError) as refused:
        ask(view, f"http://{address(view, 'empty')}")
    assert refused.value.code == REFUSED
    for port in (80, 81):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address(view, "empty"), port), timeout=5)


def test_address_of_a_service_that_is_gone_leads_nowhere(view: Namespace) -> None:
    """Not to whoever may have the address elsewhere either."""
    view.apply(service("gone", selector={"app": "web"}, ports=[{"port": 80, "targetPort": "http"}]))
    former = address(view, "gone")
    eventually(lambda: fetch(former, 80), told=lambda: view.kubectl("get", "endpointslices"))
    view.kubectl("delete", "service", "gone")

    def silent() -> bool:
        try:
            socket.create_connection((former, 80), timeout=1).close()
        except OSError as failure:
            return isinstance(failure, TimeoutError)
        return False

    eventually(silent)
    with pytest.raises(CommandError) as unanswered:
        view.exec("tools", "curl", "-sS", "-m", "1", f"http://{former}")
    assert unanswered.value.code == TIMED_OUT


def test_datagrams_to_a_service_without_pods_are_refused(view: Namespace) -> None:
    view.apply(service("empty-udp", selector={"app": "nobody"}, ports=[{"port": 53, "protocol": "UDP"}]))

    def refused() -> bool:
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(0.5)
            client.connect((address(view, "empty-udp"), 53))
            try:
                client.send(b"?")
                client.recv(1)
            except (ConnectionRefusedError, PermissionError):  # the latter is how the kernel refuses its own host
                return True
            except TimeoutError:
                pass
            return False

    assert eventually(refused)


def test_several_ports_and_a_named_one(view: Namespace) -> None:
    ports = [{"name": "one", "port": 81, "targetPort": "http"}, {"name": "two", "port": 82, "targetPort": 80}]
    view.apply(service("ports", selector={"app": "web"}, ports=ports))
    for port in (81, 82):
        assert eventually(functools.partial(fetch, address(view, "ports"), port)) in names(view, "web")


def test_service_without_selector_leads_to_the_endpoints_given(view: Namespace) -> None:
    pod = sorted(names(view, "web"))[0]
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "manual-1", "labels": {"kubernetes.io/service-name": "manual"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [view.get("pods", pod)["status"]["podIP"]]}],
        "ports": [{"port": 80, "protocol": "TCP"}],
    }
    view.apply(service("manual", selector=None))
    path = f"/apis/discovery.k8s.io/v1/namespaces/{view.namespace}/endpointslices"
    view.client.request("POST", path, slice_)
    assert eventually(lambda: fetch(address(view, "manual"), 80)) == pod


def test_client_stays_with_its_pod_under_affinity(view: Namespace) -> None:
    view.apply(service("sticky", selector={"app": "web"}, sessionAffinity="ClientIP"))
    eventually(lambda: fetch(address(view, "sticky"), 80))
    assert len({fetch(address(view, "sticky"), 80) for _ in range(30)}) == 1
    assert len(set(ask(view, f"http://{address(view, 'sticky')}", 30))) == 1


def test_api_is_reached_from_a_pod_with_its_token(view: Namespace) -> None:
    token = "/var/run/secrets/kubernetes.io/serviceaccount"
    for host in (str(view.settings.kubernetes_service_address), "kubernetes.default"):
        script = (
            f'curl -sS -m 5 --cacert {token}/ca.crt -H "Authorization: Bearer $(cat {token}/token)" '
            f"https://{host}:443/api/v1/namespaces/default/services/kubernetes"
        )
        assert str(view.settings.kubernetes_service_address) in view.exec("tools", "sh", "-c", script)


# NodePort and LoadBalancer


def test_node_port_answers_on_every_address_of_the_host(view: Namespace) -> None:
    port = view.get("services", "web")["spec"]["ports"][0]["nodePort"]
    assert 30000 <= port <= 32767
    own = socket.gethostbyname(socket.gethostname())
    for host in ("127.0.0.1", "localhost", str(view.settings.gateway), own):
        assert fetch(host, port) in names(view, "web"), host
    assert ask(view, f"http://{view.settings.gateway}:{port}")[0] in names(view, "web")


def test_node_port_of_the_notes(view: Namespace) -> None:
    wanted = [{"port": 80, "nodePort": 8768}]
    view.apply(service("httpd-svc", selector={"app": "web"}, type="NodePort", ports=wanted))
    for host in ("127.0.0.1", str(view.settings.gateway)):
        assert eventually(functools.partial(fetch, host, 8768)) in names(view, "web")
    view.delete("services", "httpd-svc")
    eventually(lambda: not fetch("127.0.0.1", 8768))


def test_node_port_that_another_program_has_is_told_and_left_to_it(view: Namespace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        wanted = [{"port": 80, "nodePort": port}]
        view.apply(service("taken", selector={"app": "web"}, type="NodePort", ports=wanted))
        (event,) = eventually(lambda: events(view, "taken"))
        assert (event["type"], event["reason"]) == ("Warning", "NodePortTaken")
        assert f"{port}/TCP" in event["message"]
        assert eventually(lambda: fetch(address(view, "taken"), 80)) in names(view, "web")
    assert eventually(lambda: fetch("127.0.0.1", port)) in names(view, "web")


def events(view: Namespace, name: str) -> list[Obj]:
    return [event for event in view.list("events") if event["involvedObject"]["name"] == name]


def test_load_balancer_answers_at_the_nodes_address(view: Namespace) -> None:
    view.apply(
        service("balanced", selector={"app": "web"}, type="LoadBalancer", ports=[{"port": 8099, "targetPort": 80}])
    )
    found = view.wait("services", "balanced", lambda obj: bool(obj["status"]["loadBalancer"].get("ingress")))
    (ingress,) = found["status"]["loadBalancer"]["ingress"]
    assert ingress["ip"] == str(view.settings.gateway)
    assert eventually(lambda: fetch(ingress["ip"], 8099)) in names(view, "web")


def test_external_address_leads_to_the_service(view: Namespace) -> None:
    view.apply(service("outside", selector={"app": "web"}, externalIPs=["198.51.100.7"]))
    assert eventually(lambda: fetch("198.51.100.7", 80)) in names(view, "web")


# host ports


def test_host_ports_of_pods_differ_by_address_and_protocol(view: Namespace) -> None:
    """Upstream's conformance: one number, told apart by hostIP and protocol; who asks for a taken one waits."""
    gateway = str(view.settings.gateway)
    with socket.create_server((gateway, 0)) as free:
        number = free.getsockname()[1]
    http_port = {"containerPort": 80, "hostPort": number}
    view.apply(host_port_pod("loopback", {**http_port, "hostIP": "127.0.0.1"}))
    view.apply(host_port_pod("outer", {**http_port, "hostIP": gateway}))
    datagrams = {"containerPort": 9000, "hostPort": number, "hostIP": gateway, "protocol": "UDP"}
    view.apply(host_port_pod("datagrams", datagrams, command=("perl", "-e", ECHO)))
    view.apply(host_port_pod("late", http_port))
    assert eventually(lambda: fetch("127.0.0.1", number)) == "loopback"
    assert eventually(lambda: fetch(gateway, number)) == "outer"
    assert ask(view, f"http://{gateway}:{number}") == ["outer"]
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(0.3)
        client.connect((gateway, number))
        assert eventually(lambda: exchange(client)) == "datagrams"
    conditions = view.get("pods", "late")["status"]["conditions"]
    assert "didn't have free ports for the requested pod ports" in conditions[0]["message"]
    for name in ("loopback", "outer"):
        view.delete("pods", name)
    assert eventually(lambda: fetch(gateway, number) == "late")


# changes


def test_service_changes_its_mind(view: Namespace) -> None:
    """Affinity switched by update, another proxy's label put on and off, a type with a health check, ExternalName."""
    view.apply(service("fickle", selector={"app": "web"}, sessionAffinity="ClientIP"))
    at = address(view, "fickle")
    eventually(lambda: fetch(at, 80))
    assert len(set(ask(view, f"http://{at}", 15))) == 1
    change(view, "fickle", spec={"sessionAffinity": "None"})
    eventually(lambda: len(set(ask(view, f"http://{at}", 15))) > 1)

    change(view, "fickle", metadata={"labels": {"service.kubernetes.io/service-proxy-name": "other"}})
    eventually(lambda: not fetch(at, 80))
    change(view, "fickle", metadata={"labels": {"service.kubernetes.io/service-proxy-name": None}})
    eventually(lambda: fetch(at, 80))

    balanced_locally = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{"port": 8123}]}
    port = change(view, "fickle", spec=balanced_locally)["spec"]["healthCheckNodePort"]
    told = eventually(lambda: fetch("127.0.0.1", port))
    assert json.loads(told)["localEndpoints"] == 3
    change(view, "fickle", spec={"selector": {"app": "nobody"}})
    eventually(lambda: json.loads(fetch("127.0.0.1", port))["localEndpoints"] == 0)

    target = f"web.{view.namespace}.svc.cluster.local"
    named = change(view, "fickle", spec={"type": "ExternalName", "externalName": target})
    assert "clusterIP" not in named["spec"]
    assert eventually(lambda: ask(view, "http://fickle"))[0] in names(view, "web")


def change(view: Namespace, name: str, **patch: Obj) -> Obj:
    path = f"/api/v1/namespaces/{view.namespace}/services/{name}"
    return view.client.request("PATCH", path, patch, content_type="application/merge-patch+json")


def test_hand_made_endpoints_are_served(view: Namespace) -> None:
    """Mirrored to slices, which the rules follow; gone with the Endpoints."""
    (pod,) = view.list("pods", "app=self")
    subset = {"addresses": [{"ip": pod["status"]["podIP"]}], "ports": [{"port": 80}]}
    view.apply(service("by-hand", selector=None))
    at = address(view, "by-hand")
    endpoints = f"/api/v1/namespaces/{view.namespace}/endpoints"
    view.client.request("POST", endpoints, {"metadata": {"name": "by-hand"}, "subsets": [subset]})
    assert eventually(lambda: fetch(at, 80)) == pod["metadata"]["name"]
    view.client.request("DELETE", f"{endpoints}/by-hand")
    eventually(lambda: not fetch(at, 80))


def test_established_connection_outlives_its_endpoint(view: Namespace) -> None:
    view.apply(web("leaver", 1))
    view.apply(service("leaver"))
    view.wait("deployments", "leaver")
    eventually(lambda: fetch(address(view, "leaver"), 80))
    with closing(http.client.HTTPConnection(address(view, "leaver"), 80, timeout=5)) as connection:
        connection.request("GET", "/")
        first = connection.getresponse().read()
        relabel(view, first.decode().strip(), app="gone")
        eventually(lambda: first.decode().strip() not in (fetch(address(view, "leaver"), 80) or "nobody"))
        connection.request("GET", "/")
        assert connection.getresponse().read() == first


def relabel(view: Namespace, pod: str, **labels: str) -> Obj:
    path = f"/api/v1/namespaces/{view.namespace}/pods/{pod}"
    body = {"metadata": {"labels": labels}}
    return view.client.request("PATCH", path, body, content_type="application/merge-patch+json")


def test_datagram_client_that_keeps_its_port_finds_the_next_pod(view: Namespace) -> None:
    view.apply(datagram_server("echo"))
    view.apply(service("echo", ports=[{"port": 9000, "protocol": "UDP"}]))
    view.wait("deployments", "echo")
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(0.3)
        client.connect((address(view, "echo"), 9000))
        first = eventually(lambda: exchange(client))
        assert first in names(view, "echo")
        view.delete("pods", first)
        view.wait("pods", first, "deleted")
        assert eventually(lambda: (exchange(client) or first) != first)


def exchange(client: socket.socket) -> str:
    try:
        client.send(b"who")
        return client.recv(100).decode()
    except OSError:
        return ""


def test_kernel_has_the_rules_within_moments_of_ready(view: Namespace) -> None:
    """From the slice's change in the API to the first connection that gets through, coarsely (the bench is finer)."""
    view.apply(service("moment", selector={"app": "moment"}))
    view.apply(web("moment", 1))
    view.wait("deployments", "moment")
    path = f"/api/v1/namespaces/{view.namespace}/services/moment"
    waits = []
    for port in range(8100, 8110):
        body = {"spec": {"ports": [{"port": port, "targetPort": 80}]}}
        view.client.request("PATCH", path, body, content_type="application/merge-patch+json")
        waits.append(time_until(functools.partial(fetch, address(view, "moment"), port)))
    assert statistics.median(waits) < 0.5


def time_until(found: Callable[[], object]) -> float:
    began = time.monotonic()
    eventually(found)
    return time.monotonic() - began
