from __future__ import annotations

import pytest

from kubelite.node.pod_files import (
    Resolver,
    host_network_hosts,
    hostname_of,
    hosts_of,
    kernel_hostname,
    parse_resolver,
    resolver_of,
)
from kubelite.objects.meta import Obj
from tests.unit.node.pods import pod

HOST = Resolver(("192.168.1.1",), ("lan",), ("rotate",))
CLUSTER = (
    "search default.svc.cluster.local svc.cluster.local cluster.local lan\nnameserver 172.30.0.2\noptions ndots:5\n"
)


def resolver(of: Obj) -> Resolver:
    return resolver_of(of, HOST, "172.30.0.2", "cluster.local")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({}, CLUSTER),
        ({"dnsPolicy": "ClusterFirst"}, CLUSTER),
        ({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": True}, CLUSTER),
        ({"dnsPolicy": "ClusterFirst", "hostNetwork": True}, HOST.text()),
        ({"dnsPolicy": "Default"}, "search lan\nnameserver 192.168.1.1\noptions rotate\n"),
        ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"]}}, "nameserver 1.1.1.1\n"),
    ],
)
def test_resolver_by_policy(spec: Obj, text: str) -> None:
    assert resolver(pod(**spec)).text() == text


def test_dns_config_adds_and_overrides() -> None:
    extra = {
        "nameservers": ["1.1.1.1", "172.30.0.2"],
        "searches": ["example.com"],
        "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
    }
    merged = resolver(pod(dnsConfig=extra))
    assert merged.nameservers == ("172.30.0.2", "1.1.1.1")
    assert merged.searches[-1] == "example.com"
    assert merged.options == ("ndots:2", "edns0")


def test_resolv_conf_is_read_with_comments_and_junk() -> None:
    text = "# x\nnameserver 1.1.1.1 # first\nnameserver\nsearch a b. .\noptions ndots:1 rotate\n; nameserver 2.2.2.2\n"
    assert parse_resolver(text) == Resolver(("1.1.1.1",), ("a", "b"), ("ndots:1", "rotate"))
    assert parse_resolver(text + "options ndots:3 edns0\n").options == ("ndots:3", "rotate", "edns0")


def test_hostname_is_the_pods_unless_given_and_fits_a_label() -> None:
    assert hostname_of(pod()) == "web-0"
    assert hostname_of(pod(hostname="db")) == "db"
    long = pod(metadata={"name": "a" * 62 + "-bcd"})
    assert hostname_of(long) == "a" * 62


def test_kernel_knows_the_full_name_when_asked_to() -> None:
    full = "web-0.headless.default.svc.cluster.local"
    assert kernel_hostname(pod(subdomain="headless", setHostnameAsFQDN=True), "cluster.local") == full
    assert kernel_hostname(pod(subdomain="headless"), "cluster.local") == "web-0"
    assert kernel_hostname(pod(setHostnameAsFQDN=True), "cluster.local") == "web-0"


def test_hosts_file_names_the_pod_the_host_and_the_aliases() -> None:
    aliases = [{"ip": "1.2.3.4", "hostnames": ["a", "b"]}]
    text = hosts_of(
        pod(subdomain="headless", hostAliases=aliases),
        "172.30.0.16",
        "cluster.local",
        {"172.30.0.1": ["host.docker.internal", "host.kubelite.internal"]},
    )
    lines = text.splitlines()
    assert lines[0] == "# Kubernetes-managed hosts file."
    assert "172.30.0.16\tweb-0.headless.default.svc.cluster.local\tweb-0" in lines
    assert "172.30.0.1\thost.docker.internal host.kubelite.internal" in lines
    assert lines[-2:] == ["# Entries added by HostAliases.", "1.2.3.4\ta\tb"]


def test_hosts_file_of_the_host_network_is_the_hosts() -> None:
    text = host_network_hosts(pod(), "127.0.0.1 localhost\n")
    assert text == "# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n"
