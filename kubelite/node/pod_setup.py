"""A pod's directory: resolv.conf, hosts, hostname, and what its volumes need. Called by the pod's disk, in a thread."""

from __future__ import annotations

import socket
from pathlib import Path

from kubelite.node import memory_volumes, pod_files, resolver_limits
from kubelite.node.environment import Surroundings
from kubelite.node.services import Services
from kubelite.node.tokens import PodTokens
from kubelite.node.view import is_host_network
from kubelite.node.volume_payload import TokenSource, service_account
from kubelite.node.volumes import VolumeContext
from kubelite.objects import meta
from kubelite.objects.meta import Obj

HOST_NAMES = ("host.docker.internal", "host.kubelite.internal")
# systemd-resolved's stub listens on a loopback address that is another one inside a pod; these are its real servers.
_RESOLV_CONFS = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")


def write_etc(services: Services, pod: Obj, address: str, directory: Path) -> list[str]:
    """The pod's files for /etc; back come warnings about what they leave out."""
    etc = directory / "etc"
    etc.mkdir(parents=True, exist_ok=True)
    settings = services.settings
    wanted = pod_files.resolver_of(
        pod, host_resolver(on_host_network=is_host_network(pod)), services.cluster_dns(), settings.domain
    )
    resolver, warnings = resolver_limits.fitted(wanted)
    _write(etc / "resolv.conf", resolver.text())
    if is_host_network(pod):
        _write(etc / "hosts", pod_files.host_network_hosts(pod, Path("/etc/hosts").read_text()))
        _write(etc / "hostname", f"{socket.gethostname()}\n")
    else:
        aliases = {services.host_address: HOST_NAMES}
        _write(etc / "hosts", pod_files.hosts_of(pod, address, settings.domain, aliases))
        _write(etc / "hostname", f"{pod_files.kernel_hostname(pod, settings.domain)}\n")
    return warnings


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o644)


def host_resolver(*, on_host_network: bool) -> pod_files.Resolver:
    """The machine's resolver, without servers that a pod can't reach."""
    found = pod_files.Resolver()
    for path in _RESOLV_CONFS:
        try:
            found = pod_files.parse_resolver(Path(path).read_text())
        except OSError:
            continue
        reachable = tuple(s for s in found.nameservers if on_host_network or not s.startswith(("127.", "::1")))
        if reachable:
            return pod_files.Resolver(reachable, found.searches, found.options)
    return pod_files.Resolver((), found.searches, found.options)


def pod_tokens(services: Services) -> PodTokens:
    def issue(pod: Obj, audience: str, expiration: int) -> str:
        return services.token(*service_account(pod), audience, expiration, pod)

    return PodTokens(issue, services.now)


def volume_context(
    services: Services, pod: Obj, directory: Path, around: Surroundings, token: TokenSource
) -> VolumeContext:
    return VolumeContext(
        directory=directory,
        memory_directory=memory_volumes.directory_of(services.settings.name, meta.uid(pod)),
        around=around,
        token=token,
        find=services.client.find,
    )
