"""How a Service is explained: name, rules, shares, counts; from recorded answers of the API and of nft."""

from __future__ import annotations

from typing import Any

import pytest

from kubelite.cli.explain_service import Facts, report
from kubelite.cli.kernel_table import KernelTable, parse

Object = dict[str, Any]

LISTED = """\
table ip kubelite {
\tset gateway {
\t\ttype ipv4_addr
\t\telements = { 172.30.0.1 }
\t}

\tset connections {
\t\ttype ipv4_addr . inet_proto . inet_service . ipv4_addr . inet_service
\t\tsize 65535
\t\tflags dynamic,timeout
\t\ttimeout 1d
\t\telements = { 10.254.33.250 . tcp . 80 . 172.30.0.5 . 80 counter packets 7 bytes 420 expires 23h59m,
\t\t\t     127.0.0.1 . tcp . 8768 . 172.30.0.5 . 80 counter packets 2 bytes 120 expires 23h59m,
\t\t\t     10.254.9.9 . tcp . 80 . 172.30.0.5 . 80 counter packets 99 bytes 5940 expires 23h59m }
\t}

\tmap service-ips {
\t\ttype ipv4_addr . inet_proto . inet_service : verdict
\t\telements = { 10.254.0.1 . tcp . 443 : goto service/default/kubernetes/tcp/https,
\t\t\t     10.254.33.250 . tcp . 80 : goto service/default/web/tcp/80 }
\t}

\tmap service-node-ports {
\t\ttype inet_proto . inet_service : verdict
\t\telements = { tcp . 8768 : goto external/default/web/tcp/80 }
\t}

\tmap refused-ips {
\t\ttype ipv4_addr . inet_proto . inet_service : verdict
\t\telements = { 10.254.7.7 . tcp . 80 : goto refuse,
\t\t\t     10.254.7.8 . tcp . 80 : drop }
\t}

\tchain refuse {
\t\tmeta l4proto tcp reject with tcp reset
\t\treject
\t}

\tchain service/default/web/tcp/80 {
\t\tmeta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 172.30.0.5 . 80, 1 : 172.30.0.6 . 80 }
\t}

\tchain external/default/web/tcp/80 {
\t\tmeta mark set meta mark | 0x00004000
\t\tgoto service/default/web/tcp/80
\t}

\tchain service/default/website/tcp/80 {
\t\tmeta l4proto tcp dnat to 172.30.0.9:80
\t}
}
"""


@pytest.fixture
def kernel() -> KernelTable:
    return parse(LISTED)


def service(name: str = "web", **spec: Any) -> Object:
    wanted = {"type": "ClusterIP", "clusterIP": "10.254.33.250", "ports": [{"port": 80, "protocol": "TCP"}], **spec}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": wanted}


def endpoint(last: int, pod: str, *, hostname: str = "", **conditions: bool) -> Object:
    found = {"addresses": [f"172.30.0.{last}"], "conditions": conditions, "targetRef": {"kind": "Pod", "name": pod}}
    return {**found, "hostname": hostname} if hostname else found


def facts(obj: Object, *endpoints: Object, sets: tuple[str, ...] = ()) -> Facts:
    part = {
        "metadata": {"name": "part", "namespace": "default", "labels": {}},
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": [{"name": "", "port": 80, "protocol": "TCP"}],
    }
    return Facts(obj, [part], list(sets), "cluster.local", "n1")


TWO = (endpoint(5, "web-0"), endpoint(6, "web-1"))


def test_service_with_an_address_shows_its_rules_shares_and_counts(kernel: KernelTable) -> None:
    node_port = service(type="NodePort", ports=[{"port": 80, "protocol": "TCP", "nodePort": 8768}])
    assert list(report(facts(node_port, *TWO), kernel)) == [
        "Service default/web (NodePort)",
        "",
        "Name",
        "  web.default.svc.cluster.local resolves to 10.254.33.250, the Service's own address, whichever pods are behind it",
        "",
        "Rules",
        "  In the kernel now, for the first packet of each connection; connection tracking keeps to its choice:",
        "  map service-ips: 10.254.33.250 . tcp . 80 : goto service/default/web/tcp/80",
        "  map service-node-ports: tcp . 8768 : goto external/default/web/tcp/80",
        "  chain external/default/web/tcp/80 {",
        "    meta mark set meta mark | 0x00004000",
        "    goto service/default/web/tcp/80",
        "  }",
        "  chain service/default/web/tcp/80 {",
        "    meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 172.30.0.5 . 80, 1 : 172.30.0.6 . 80 }",
        "  }",
        "",
        "Endpoints",
        "  PORT     ENDPOINT        POD     SHARE    CONNECTIONS",
        "  80/TCP   172.30.0.5:80   web-0   1 of 2   9",
        "  80/TCP   172.30.0.6:80   web-1   1 of 2   0",
    ]


def test_endpoint_that_gets_nothing_tells_why(kernel: KernelTable) -> None:
    endpoints = (*TWO, endpoint(7, "web-2", ready=False), endpoint(8, "web-3", ready=False, terminating=True))
    text = "\n".join(report(facts(service(), *endpoints), kernel))
    assert "172.30.0.7:80   web-2   none (not ready)" in text
    assert "172.30.0.8:80   web-3   none (terminating)" in text
    assert text.count("1 of 2") == 2


def test_headless_service_has_no_rules_and_names_its_pods(kernel: KernelTable) -> None:
    headless = service(clusterIP="None", clusterIPs=["None"])
    endpoints = (endpoint(5, "db-0", hostname="db-0"), endpoint(6, "db-1", hostname="db-1", ready=False))
    text = "\n".join(report(facts(headless, *endpoints, sets=("db",)), kernel))
    assert "Service default/web (headless)" in text
    assert "web.default.svc.cluster.local resolves to 172.30.0.5: one address for each ready pod" in text
    assert "None: a headless Service" in text
    assert "chain" not in text
    assert "SHARE" not in text
    assert "  db-0.web.default.svc.cluster.local   172.30.0.5\n" in text
    assert "  db-1.web.default.svc.cluster.local   172.30.0.6   not ready\n" in text
    assert "They belong to StatefulSet db" in text


def test_external_name_is_a_name_only(kernel: KernelTable) -> None:
    obj = service(type="ExternalName", externalName="example.org", clusterIP="", ports=None)
    text = "\n".join(report(facts(obj), kernel))
    assert "another name (CNAME) of example.org" in text
    assert "None: it is a name only" in text


def test_service_without_ready_pods_is_said_to_refuse(kernel: KernelTable) -> None:
    text = "\n".join(report(facts(service(clusterIP="10.254.7.7")), kernel))
    assert "map refused-ips: 10.254.7.7 . tcp . 80 : goto refuse" in text
    assert "connections are refused at once" in text


def test_affinity_is_told(kernel: KernelTable) -> None:
    assert "(sessionAffinity ClientIP, 10800 s)" in "\n".join(
        report(facts(service(sessionAffinity="ClientIP"), *TWO), kernel)
    )


def test_kernel_that_can_not_be_asked_is_told_with_the_rest() -> None:
    text = "\n".join(report(facts(service(), *TWO), "no container engine answers"))
    assert "Not to be seen: no container engine answers" in text
    assert "1 of 2   ?" in text
