"""The text of a pod's resolv.conf, hosts and hostname. PURE; called by the worker's set-up.

Follows upstream's `kubelet/network/dns` and `kubelet_pods.go` (nodeHostsFileContent, managedHostsFileContent).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kubelite.node.view import is_host_network
from kubelite.objects import meta
from kubelite.objects.meta import Obj

HOSTNAME_MAX = 63
CLUSTER_OPTIONS = ("ndots:5",)


@dataclass(frozen=True, slots=True)
class Resolver:
    """The three kinds of line of a resolv.conf."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def text(self) -> str:
        lines = []
        if self.searches:
            lines.append(f"search {' '.join(self.searches)}")
        lines += [f"nameserver {server}" for server in self.nameservers]
        if self.options:
            lines.append(f"options {' '.join(self.options)}")
        return "".join(f"{line}\n" for line in lines)


def parse_resolver(text: str) -> Resolver:
    """The host's resolv.conf."""
    servers: list[str] = []
    searches: tuple[str, ...] = ()
    options: dict[str, str] = {}
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver":
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            searches = tuple(word.removesuffix(".") for word in words[1:] if word != ".")
        elif words[0] == "options":
            options |= {_option_name(word): word for word in words[1:]}
    return Resolver(tuple(servers), searches, tuple(options.values()))


def resolver_of(pod: Obj, host: Resolver, cluster_dns: str, domain: str) -> Resolver:
    """By dnsPolicy, with dnsConfig merged in."""
    policy = pod["spec"].get("dnsPolicy") or "ClusterFirst"
    if policy == "None":
        base = Resolver()
    elif policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not is_host_network(pod)):
        names = (f"{meta.namespace(pod)}.svc.{domain}", f"svc.{domain}", domain)
        base = Resolver((cluster_dns,), (*names, *host.searches), CLUSTER_OPTIONS)
    else:
        base = host
    return _merged(base, pod["spec"].get("dnsConfig") or {})


def _merged(base: Resolver, extra: Obj) -> Resolver:
    options = {_option_name(option): option for option in base.options}
    for option in extra.get("options") or ():
        value = option.get("value")
        options[option["name"]] = f"{option['name']}:{value}" if value else option["name"]
    return Resolver(
        _unique([*base.nameservers, *(extra.get("nameservers") or ())]),
        _unique([*base.searches, *(extra.get("searches") or ())]),
        tuple(options.values()),
    )


def _option_name(option: str) -> str:
    return option.partition(":")[0]


def _unique(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def hostname_of(pod: Obj) -> str:
    """What `hostname` prints in the pod (pods of the host network keep the host's)."""
    return str(pod["spec"].get("hostname") or meta.name(pod))[:HOSTNAME_MAX].rstrip("-.")


def full_hostname(pod: Obj, domain: str) -> str:
    """With a subdomain, the name under which DNS knows the pod; else ""."""
    subdomain = pod["spec"].get("subdomain")
    return f"{hostname_of(pod)}.{subdomain}.{meta.namespace(pod)}.svc.{domain}" if subdomain else ""


def kernel_hostname(pod: Obj, domain: str) -> str:
    """What the kernel calls the pod: with setHostnameAsFQDN its full name."""
    return (pod["spec"].get("setHostnameAsFQDN") and full_hostname(pod, domain)) or hostname_of(pod)


_LOCAL = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


def hosts_of(pod: Obj, address: str, domain: str, aliases: Mapping[str, Sequence[str]]) -> str:
    """The managed hosts file; `aliases` are names for the host (`host.docker.internal`)."""
    names = "\t".join(filter(None, (full_hostname(pod, domain), hostname_of(pod))))
    text = f"# Kubernetes-managed hosts file.\n{_LOCAL}{address}\t{names}\n"
    text += "".join(f"{at}\t{' '.join(called)}\n" for at, called in aliases.items())
    return text + _host_aliases(pod)


def host_network_hosts(pod: Obj, host: str) -> str:
    return f"# Kubernetes-managed hosts file (host network).\n{host}{_host_aliases(pod)}"


def _host_aliases(pod: Obj) -> str:
    aliases = pod["spec"].get("hostAliases") or ()
    lines = [f"{alias['ip']}\t{chr(9).join(alias.get('hostnames') or ())}\n" for alias in aliases]
    return "\n# Entries added by HostAliases.\n" + "".join(lines) if lines else ""
