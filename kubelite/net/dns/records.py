"""From a question to its records: what each name of the cluster domain answers.

Pure. Follows the Kubernetes DNS specification 1.1.0 and, where that is silent, CoreDNS with `pods insecure`.
Called by `resolver`; names come in and go out in the asker's letter case, comparisons ignore it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address

from kubelite.net.dns import reverse
from kubelite.net.dns.index import Index
from kubelite.net.dns.model import NO_PORT, Port, Service, Slice

SCHEMA_VERSION = "1.1.0"
SCHEMA_TTL = 28800
TTL = 5
NEGATIVE_TTL = 0
"""A client that remembered a missing name would not see the pod that has just become ready."""
MAX_ALIASES = 10

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Zone:
    """What this server is the authority for: a domain, and the reverse names of its own address ranges."""

    domain: Labels
    ranges: tuple[IPv4Network | IPv6Network, ...] = ()
    own_addresses: tuple[str, ...] = ()

    def holds(self, labels: Labels) -> bool:
        return labels[-len(self.domain) :] == self.domain

    def owns(self, address: str) -> bool:
        return any(ip_address(address) in network for network in self.ranges)


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record; as a string, a line of a zone file."""

    name: str
    ttl: int
    type: str
    data: str

    def __str__(self) -> str:
        return f"{self.name} {self.ttl} IN {self.type} {self.data}"


@dataclass(frozen=True, slots=True)
class Answer:
    """`chase` names the foreign target of a last CNAME, to be resolved upstream and appended."""

    rcode: str = "NOERROR"
    records: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    extra: tuple[Record, ...] = ()
    chase: str = ""


@dataclass(frozen=True, slots=True)
class _Target:
    """One address, or the alias, that a name stands for. `name` is its own name, below the domain."""

    name: str
    value: str
    port: int = NO_PORT
    alias: bool = False

    @property
    def type(self) -> str:
        return "CNAME" if self.alias else "AAAA" if ":" in self.value else "A"


def resolve(index: Index, zone: Zone, labels: Labels, qtype: str) -> Answer | None:
    """The cluster's answer to a question, or None when it is for others to answer."""
    folded = tuple(label.lower() for label in labels)
    if zone.holds(folded):
        return _forward_look_up(index, zone, labels, folded, qtype)
    if address := reverse.address_of(folded):
        return _reverse_look_up(index, zone, labels, address, qtype)
    return None


def _forward_look_up(index: Index, zone: Zone, labels: Labels, folded: Labels, qtype: str) -> Answer:
    if not index.synced:
        return Answer("SERVFAIL")
    origin = _text(labels[-len(zone.domain) :])
    soa = _soa(origin, index.serial)
    base = folded[: -len(zone.domain)]
    targets = _targets(index, zone, base)
    if targets is None:
        return _negative("NXDOMAIN", soa)
    name = _text(labels)
    if qtype in ("A", "AAAA"):
        answer = _addresses(index, zone, name, targets, qtype)
    elif qtype == "SRV":
        answer = _services(name, origin, targets)
    elif qtype == "CNAME":
        answer = Answer(records=tuple(_alias(name, target) for target in targets if target.alias))
    elif not base:
        answer = _apex(index, zone, origin, soa, qtype)
    elif qtype == "TXT" and base == ("dns-version",):
        answer = Answer(records=(Record(name, SCHEMA_TTL, "TXT", f'"{SCHEMA_VERSION}"'),))
    else:
        answer = Answer()
    return answer if answer.records else _negative("NOERROR", soa)


def _targets(index: Index, zone: Zone, base: Labels) -> list[_Target] | None:
    """What a name below the domain stands for: nothing if it merely exists, None if it does not."""
    match base:
        case () | ("svc",) | ("pod",) | ("dns-version",):
            return []
        case ("ns", "dns"):
            return _name_servers(index, zone)
        case (*_, namespace, "svc" | "pod") if not index.has_namespace(namespace):
            return None
        case (_, "svc" | "pod"):
            return []
        case (dashed, _, "pod"):
            return _pod(dashed, _text(base))
        case (service, namespace, "svc"):
            return _service(index, namespace, service)
        case (endpoint, service, namespace, "svc"):
            return _service(index, namespace, service, endpoint=endpoint)
        case (port, protocol, service, namespace, "svc"):
            wanted = Port(port.removeprefix("_"), protocol.removeprefix("_"))
            return _service(index, namespace, service, wanted)
    return None


def _pod(dashed: str, name: str) -> list[_Target] | None:
    separator = "." if dashed.count("-") == 3 and "--" not in dashed else ":"
    address = dashed.replace("-", separator)
    return [_Target(name, address)] if reverse.is_address(address) else None


def _service(
    index: Index, namespace: str, name: str, wanted: Port | None = None, endpoint: str = ""
) -> list[_Target] | None:
    service = index.service((namespace, name))
    if service is None:
        return None
    own_name = f"{name}.{namespace}.svc."
    if service.external_name:
        if wanted or endpoint or reverse.is_address(service.external_name):
            return None
        return [_Target(own_name, service.external_name.rstrip(".") + ".", alias=True)]
    if service.headless or endpoint:
        return [
            _Target(f"{member.hostname}.{own_name}", member.address, port.number)
            for member, port in index.endpoints((namespace, name))
            if endpoint in ("", member.hostname.lower()) and _matches(wanted, port)
        ] or None
    ports = [port for port in service.ports if _matches(wanted, port)]
    if not ports:
        return None
    return [_Target(own_name, address, port.number) for port in ports for address in service.addresses]


def _matches(wanted: Port | None, port: Port) -> bool:
    if wanted is None:
        return True
    return wanted.name in ("", port.name.lower()) and wanted.protocol in ("", port.protocol.lower())


def _addresses(index: Index, zone: Zone, name: str, targets: list[_Target], qtype: str) -> Answer:
    """Follow aliases inside the domain; one that leads nowhere is as if it had no address."""
    chain: list[Record] = []
    while targets and targets[0].alias and len(chain) <= MAX_ALIASES:
        chain.append(_alias(name, targets[0]))
        name = targets[0].value
        labels = tuple(name.lower().split(".")[:-1])
        if not zone.holds(labels):
            return Answer(records=tuple(chain), chase=name)
        targets = _targets(index, zone, labels[: -len(zone.domain)]) or []
    found = dict.fromkeys(Record(name, TTL, qtype, t.value) for t in targets if t.type == qtype)
    return Answer(records=(*chain, *found)) if found else Answer()


def _services(name: str, origin: str, targets: list[_Target]) -> Answer:
    """SRV records share the weight of 100; the addresses of their targets come along."""
    weight = max(1, 100 // len(targets)) if targets else 0
    offered = [target for target in targets if target.port != NO_PORT and not target.alias]
    records = (Record(name, TTL, "SRV", f"0 {weight} {target.port} {target.name}{origin}") for target in offered)
    extra = (Record(f"{target.name}{origin}", TTL, target.type, target.value) for target in offered)
    return Answer(records=_distinct(records), extra=_distinct(extra))


def _apex(index: Index, zone: Zone, origin: str, soa: Record, qtype: str) -> Answer:
    if qtype == "SOA":
        return Answer(records=(replace(soa, ttl=TTL),))
    if qtype != "NS":
        return Answer()
    servers = _name_servers(index, zone)
    return Answer(
        records=_distinct(Record(origin, TTL, "NS", f"{server.name}{origin}") for server in servers),
        extra=tuple(Record(f"{server.name}{origin}", TTL, server.type, server.value) for server in servers),
    )


def _name_servers(index: Index, zone: Zone) -> list[_Target]:
    """The services in front of this server; while there is none, its own addresses."""
    slices = (e for own in zone.own_addresses for e in index.holders(own) if isinstance(e, Slice))
    services = (index.service((part.key[0], part.service)) for part in slices)
    found = [
        _Target(f"{service.key[1]}.{service.key[0]}.svc.", address)
        for service in dict.fromkeys(services)
        if service is not None
        for address in service.addresses
    ]
    return found or [_Target("ns.dns.", own) for own in zone.own_addresses]


def _reverse_look_up(index: Index, zone: Zone, labels: Labels, address: str, qtype: str) -> Answer | None:
    """Unknown addresses of our own ranges don't exist; the rest of the world's may."""
    owned = zone.owns(address)
    names = _pointers(index, address, _text(zone.domain))
    if not index.synced and owned:
        return Answer("SERVFAIL")
    if not names and not owned:
        return None
    if names and qtype == "PTR":
        return Answer(records=tuple(Record(_text(labels), TTL, "PTR", name) for name in names))
    origin = _text(labels[reverse.host_labels(address, zone.ranges) :])
    return _negative("NOERROR" if names else "NXDOMAIN", _soa(origin, index.serial))


def _pointers(index: Index, address: str, domain: str) -> list[str]:
    """A cluster IP has its service's name; an endpoint one name for each service it is behind."""
    names: dict[str, None] = {}
    for holder in index.holders(address):
        namespace = holder.key[0]
        if isinstance(holder, Service):
            return [f"{holder.key[1]}.{namespace}.svc.{domain}"]
        if isinstance(holder, Slice):
            for endpoint in holder.endpoints:
                if endpoint.address == address:
                    names[f"{endpoint.hostname}.{holder.service}.{namespace}.svc.{domain}"] = None
    return list(names)


def _alias(name: str, target: _Target) -> Record:
    return Record(name, TTL, "CNAME", target.value)


def _negative(rcode: str, soa: Record) -> Answer:
    return Answer(rcode, authority=(soa,))


def _soa(origin: str, serial: int) -> Record:
    data = f"ns.dns.{origin} hostmaster.{origin} {serial} 7200 1800 86400 {NEGATIVE_TTL}"
    return Record(origin, NEGATIVE_TTL, "SOA", data)


def _distinct(records: Iterable[Record]) -> tuple[Record, ...]:
    return tuple(dict.fromkeys(records))


def _text(labels: Labels) -> str:
    return "".join(f"{label}." for label in labels)
