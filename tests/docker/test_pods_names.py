"""What pods are called and whom they ask about names: host names, /etc/hosts and /etc/resolv.conf."""

from __future__ import annotations

import socket

from kubelite.objects.meta import Obj
from kubelite.testing.namespace import Namespace
from tests.docker.made_pods import container, create, made, told
from tests.docker.running_cluster import eventually

LOCAL = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""
ALIASES = [{"ip": "1.2.3.4", "hostnames": ["one", "two"]}, {"ip": "1.2.3.5", "hostnames": ["three"]}]
ADDED = "\n# Entries added by HostAliases.\n1.2.3.4\tone\ttwo\n1.2.3.5\tthree\n"


def test_names_and_resolvers_are_as_the_manifest_has_them(kubelite: Namespace) -> None:
    config = {"nameservers": ["9.9.9.9"], "searches": ["a.b"], "options": [{"name": "ndots", "value": "2"}]}
    named: Obj = {"hostname": "db", "subdomain": "headless", "setHostnameAsFQDN": True, "hostAliases": ALIASES}
    create(kubelite, "named", container("main"), dnsPolicy="None", dnsConfig=config, **named)
    kubelite.wait("pods", "named")
    full = f"db.headless.{kubelite.namespace}.svc.cluster.local"
    assert kubelite.exec("named", "cat", "/etc/resolv.conf") == "search a.b\nnameserver 9.9.9.9\noptions ndots:2\n"
    assert kubelite.exec("named", "sh", "-c", "hostname; cat /etc/hostname").split() == [full, full]
    status = kubelite.get("pods", "named")["status"]
    host = f"{status['hostIP']}\thost.docker.internal host.kubelite.internal\n"
    own = f"{status['podIP']}\t{full}\tdb\n"
    assert kubelite.exec("named", "cat", "/etc/hosts") == f"# Kubernetes-managed hosts file.\n{LOCAL}{own}{host}{ADDED}"


def test_resolver_of_the_cluster_takes_what_there_is_room_for(kubelite: Namespace) -> None:
    made(kubelite, "configmaps", "ConfigMap", "files", data={"hosts": "127.0.0.1 mine\n"})
    mount = {"name": "files", "mountPath": "/etc/hosts", "subPath": "hosts"}
    config = {
        "nameservers": ["9.9.9.1", "9.9.9.2", "9.9.9.3"],
        "searches": ["a.b", "cluster.local"],
        "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
    }
    name = "a" * 60 + "-very-long"
    volumes = [{"name": "files", "configMap": {"name": "files"}}]
    create(kubelite, name, container("main", volumeMounts=[mount]), volumes=volumes, dnsConfig=config)
    kubelite.wait("pods", name)
    searches, *servers, options = kubelite.exec(name, "cat", "/etc/resolv.conf").splitlines()
    space = kubelite.namespace
    assert searches.split()[:4] == ["search", f"{space}.svc.cluster.local", "svc.cluster.local", "cluster.local"]
    assert searches.split()[-1] == "a.b"
    assert [server.split()[1] for server in servers][1:] == ["9.9.9.1", "9.9.9.2"]
    assert options == "options ndots:2 edns0"
    applied = " ".join(server.split()[1] for server in servers)
    problem = "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
    eventually(lambda: f"DNSConfigForming {problem}{applied}" in told(kubelite, name))
    assert kubelite.exec(name, "cat", "/etc/hosts") == "127.0.0.1 mine\n"
    assert kubelite.exec(name, "hostname") == f"{'a' * 60}-ve\n"


def test_pods_of_the_host_network_have_its_names_and_may_ask_the_cluster(kubelite: Namespace) -> None:
    host: Obj = {"hostNetwork": True, "hostAliases": ALIASES}
    create(kubelite, "asking", container("main"), dnsPolicy="ClusterFirstWithHostNet", **host)
    create(kubelite, "plain", container("main"), hostNetwork=True)
    status = kubelite.wait("pods", "asking")["status"]
    assert (status["podIP"], status["podIPs"]) == (status["hostIP"], [{"ip": status["hostIP"]}])
    hosts = kubelite.exec("asking", "cat", "/etc/hosts")
    assert hosts.startswith("# Kubernetes-managed hosts file (host network).\n")
    assert hosts.endswith(ADDED)
    assert kubelite.exec("asking", "hostname") == f"{socket.gethostname()}\n"
    assert f"search {kubelite.namespace}.svc.cluster.local " in kubelite.exec("asking", "cat", "/etc/resolv.conf")
    kubelite.wait("pods", "plain")
    assert "cluster.local" not in kubelite.exec("plain", "cat", "/etc/resolv.conf")
