"""Services and their endpoints as nftables rules. Pure; called by the proxy, which hands the text to `nft`.

One table per cluster. `skeleton` is what it always has: base chains, maps, sets. `fragment` is what one Service adds:
a chain per port that picks an endpoint at random and rewrites the destination, and the elements that lead an address
and port there. Nothing of a connection's way is decided here after its first packet: connection tracking keeps to it,
so established connections outlive any change of the rules. Semantics follow upstream's "virtual IPs" reference and
`pkg/proxy/nftables`; different on purpose: node ports answer on loopback addresses too, endpoints have no chain each
(a tenth of the kernel's work per change), a refused TCP connection gets a reset (ICMP errors are rate limited).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from kubelite.net.proxy.model import Endpoint, Port, Service, Slice

MASQUERADE = 0x4000
"""Upstream's own mark bit for packets whose source is to be rewritten."""

ADMITTED = 0x2000
"""Marks the first packet of a connection that a Service leads to a pod from outside, for other tables to let it pass."""

COUNTED = "1d"
"""How long a pair of Service and endpoint stays counted without a new connection."""

Target = tuple[str, int]
"""An endpoint's address and port."""

Element = tuple[str, str]
"""The map or set it belongs to, and its key there."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the rules stand on. `bridge` carries the pods; `masquerade_pods` where their replies would bypass us."""

    table: str
    bridge: str
    gateway: IPv4Address
    pods: IPv4Network
    services: IPv4Network
    node: str
    masquerade_pods: bool = False


@dataclass(frozen=True, slots=True)
class Listen:
    """A port that a Service takes on this machine; address "" is every address."""

    address: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one Service adds to the table; `datagrams` says where UDP that is sent to an address and port may go."""

    sets: Mapping[str, str] = field(default_factory=dict)
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    elements: Mapping[Element, str] = field(default_factory=dict)
    datagrams: Mapping[Target, frozenset[Target]] = field(default_factory=dict)


def skeleton(ground: Ground) -> str:
    """The table without any Service."""
    parts = (_maps(ground), _decisions(ground), _counting(), _rewriting(ground), _filters(ground))
    return f"table ip {ground.table} {{\n{''.join(parts)}}}\n"


def _maps(ground: Ground) -> str:
    """What leads an address and port to its chain, and what is remembered of connections."""
    return f"""\
  comment "rules of kubelite; made by its kube-proxy pod"
  set gateway {{ type ipv4_addr; elements = {{ {ground.gateway} }}; }}
  set cluster-ips {{ type ipv4_addr; }}
  set hairpins {{ type ipv4_addr . ipv4_addr; }}
  set connections {{
    type ipv4_addr . inet_proto . inet_service . ipv4_addr . inet_service
    flags dynamic,timeout; timeout {COUNTED}; size 65535;
  }}
  map service-ips {{ type ipv4_addr . inet_proto . inet_service : verdict; }}
  map service-node-ports {{ type inet_proto . inet_service : verdict; }}
  map refused-ips {{ type ipv4_addr . inet_proto . inet_service : verdict; }}
  map refused-node-ports {{ type inet_proto . inet_service : verdict; }}

"""


def _decisions(ground: Ground) -> str:
    """Where a first packet goes. One to an address of the range that no Service has is dropped, not refused: the
    Service may be about to come, and it must never wander off the machine to whoever has that address there."""
    return f"""\
  chain refuse {{
    meta l4proto tcp reject with tcp reset
    reject
  }}
  chain services {{
    ip daddr . meta l4proto . th dport vmap @service-ips
    fib daddr type local meta l4proto . th dport vmap @service-node-ports
  }}
  chain refusals {{
    ip daddr . meta l4proto . th dport vmap @refused-ips
    fib daddr type local meta l4proto . th dport vmap @refused-node-ports
    ip daddr @cluster-ips goto refuse
    ip daddr {ground.services} drop
  }}
"""


def _counting() -> str:
    """One count per connection; `ct original proto-dst` is known to be a port only after a match of the protocol."""
    key = "ct original ip daddr . meta l4proto . ct original proto-dst . ip daddr . {0} dport"
    rules = "\n".join(
        f"    meta l4proto {protocol} update @connections {{ {key.format(protocol)} counter }}"
        for protocol in ("tcp", "udp", "sctp")
    )
    return f"  chain count {{\n{rules}\n  }}\n\n"


def _rewriting(ground: Ground) -> str:
    """Where destinations are rewritten, and sources whose replies would take another way."""
    replies_pass_by = f"ct status dnat ip saddr {ground.pods} ip daddr {ground.pods} masquerade fully-random"
    return f"""\
  chain nat-prerouting {{
    type nat hook prerouting priority -90;
    jump services
  }}
  chain nat-output {{
    type nat hook output priority -90;
    jump services
  }}
  chain nat-input {{
    type nat hook input priority 90;
    ct status dnat ct original ip daddr {ground.services} jump count
  }}
  chain nat-postrouting {{
    type nat hook postrouting priority 90;
    ct status dnat ct original ip daddr {ground.services} jump count
    ct status dnat oifname "{ground.bridge}" ct original ip daddr != {ground.services} jump count
    ip saddr . ip daddr @hairpins masquerade fully-random
    oifname "{ground.bridge}" ip saddr 127.0.0.0/8 masquerade fully-random
    {replies_pass_by if ground.masquerade_pods else ""}
    meta mark and {MASQUERADE:#x} != 0 meta mark set meta mark and {0xFFFFFFFF ^ MASQUERADE:#x} masquerade fully-random
  }}

"""


def _filters(ground: Ground) -> str:
    """What mustn't pass, and connections to Services that have nobody to serve them. Packets that connection tracking
    can't place are dropped as upstream's other modes do: their addresses aren't rewritten back, so a client would
    answer them with a reset and lose a good connection."""
    return f"""\
  chain loopback-guard {{
    type filter hook prerouting priority raw;
    iifname "{ground.bridge}" ip daddr 127.0.0.0/8 drop
  }}
  chain forwarded {{
    ct status dnat iifname != "{ground.bridge}" oifname "{ground.bridge}" meta mark set meta mark or {ADMITTED:#x}
    jump refusals
  }}
  chain strays {{
    iifname "{ground.bridge}" drop
    oifname "{ground.bridge}" drop
  }}
  chain filter-input {{
    type filter hook input priority -10;
    ct state new jump refusals
  }}
  chain filter-forward {{
    type filter hook forward priority -10;
    ct state vmap {{ new : jump forwarded, invalid : jump strays }}
  }}
  chain filter-output {{
    type filter hook output priority -10;
    ct state new jump refusals
  }}
"""


def listens(service: Service) -> frozenset[Listen]:
    """What other programs of this machine must not have, for the Service to be reached."""
    addresses = service.external_ips + service.balancer_ips
    return frozenset(
        Listen(address, port.protocol, number)
        for port in service.ports
        for address, number in [*((one, port.number) for one in addresses), ("", port.node_port)]
        if number
    )


def fragment(
    service: Service | None, slices: Iterable[Slice], ground: Ground, taken: Collection[Listen] = frozenset()
) -> Fragment:
    """A Service's part of the table, without the ports that another program has `taken`."""
    if service is None:
        return Fragment()
    draft = _Draft(ground.node)
    draft.elements |= {("cluster-ips", address): "" for address in service.cluster_ips}
    for port in service.ports:
        draft.add(service, port, candidates(port, slices), taken)
    return Fragment(draft.sets, draft.chains, draft.elements, draft.datagrams)


def candidates(port: Port, slices: Iterable[Slice]) -> list[tuple[Endpoint, Target]]:
    """Endpoints with the port that their slice gives this Service's port."""
    return [
        (endpoint, (endpoint.address, offered.number))
        for part in slices
        for offered in part.ports
        if (offered.name, offered.protocol) == (port.name, port.protocol)
        for endpoint in part.endpoints
    ]


def chosen(candidates: Iterable[tuple[Endpoint, Target]], node: str | None) -> tuple[Target, ...]:
    """Where new connections go: ready endpoints, else those that still serve while they terminate; of one node only
    where a traffic policy says so."""
    near = [(endpoint, target) for endpoint, target in candidates if node is None or endpoint.node == node]
    ready = {target for endpoint, target in near if endpoint.ready}
    leaving = {target for endpoint, target in near if endpoint.serving and endpoint.terminating}
    return tuple(sorted(ready or leaving, key=lambda target: (int(IPv4Address(target[0])), target[1])))


class _Draft:
    """Collects a Service's fragment, port by port."""

    def __init__(self, node: str) -> None:
        self._node = node
        self.sets: dict[str, str] = {}
        self.chains: dict[str, tuple[str, ...]] = {}
        self.elements: dict[Element, str] = {}
        self.datagrams: dict[Target, frozenset[Target]] = {}

    def add(
        self, service: Service, port: Port, candidates: list[tuple[Endpoint, Target]], taken: Collection[Listen]
    ) -> None:
        everywhere = chosen(candidates, None)
        inner = chosen(candidates, self._node) if service.internal_local else everywhere
        outer = chosen(candidates, self._node) if service.external_local else everywhere
        path = f"{service.key[0]}/{service.key[1]}/{port.protocol}/{port.name or port.number}"
        missing = "drop" if everywhere else "goto refuse"
        self._balance(service, port, f"service/{path}", path, inner)
        for address in service.cluster_ips:
            self._address(address, port, f"service/{path}" if inner else "", missing)
            self._datagrams(address, port.number, port, inner)
        entry = self._entry(service, port, path, inner, outer)
        for address in service.external_ips:
            if Listen(address, port.protocol, port.number) not in taken:
                self._address(address, port, entry, missing)
                self._datagrams(address, port.number, port, outer)
        guarded = self._guarded(service, path, entry)
        for address in service.balancer_ips:
            if Listen(address, port.protocol, port.number) not in taken:
                self._address(address, port, guarded, missing)
                self._datagrams(address, port.number, port, outer)
        if port.node_port and Listen("", port.protocol, port.node_port) not in taken:
            self._verdict("node-ports", f"{port.protocol} . {port.node_port}", entry, missing)
            self._datagrams("", port.node_port, port, outer)

    def _entry(
        self, service: Service, port: Port, path: str, inner: tuple[Target, ...], outer: tuple[Target, ...]
    ) -> str:
        """The chain for what comes by a node port or an address of the outside; "" without endpoints."""
        if not outer or not (service.external_ips or service.balancer_ips or port.node_port):
            return ""
        behind = f"service/{path}"
        if outer != inner:
            behind = f"local/{path}" if service.external_local else f"all/{path}"
            self._balance(service, port, behind, path, outer)
        if service.external_local:
            return behind
        self.chains[f"external/{path}"] = (f"meta mark set meta mark or {MASQUERADE:#x}", f"goto {behind}")
        return f"external/{path}"

    def _guarded(self, service: Service, path: str, entry: str) -> str:
        """The chain for the load balancer's address: only some sources may pass."""
        if not entry or not service.source_ranges or not service.balancer_ips:
            return entry
        allowed = ", ".join(service.source_ranges)
        self.chains[f"balancer/{path}"] = (f"ip saddr != {{ {allowed} }} drop", f"goto {entry}")
        return f"balancer/{path}"

    def _balance(self, service: Service, port: Port, chain: str, path: str, targets: tuple[Target, ...]) -> None:
        """The chain that picks one of `targets`, each with the same chance."""
        if not targets:
            return
        for address, _ in targets:
            self.elements["hairpins", f"{address} . {address}"] = ""
        if service.affinity_seconds:
            self.chains[chain] = self._sticky(service.affinity_seconds, port, path, targets)
        elif len(targets) == 1:
            self.chains[chain] = (_rewrite(port, targets[0]),)
        else:
            self.chains[chain] = (
                f"meta l4proto {port.protocol} dnat ip to {_draw(targets)} map "
                f"{{ {_numbered(f'{address} . {number}' for address, number in targets)} }}",
            )

    def _sticky(self, seconds: int, port: Port, path: str, targets: tuple[Target, ...]) -> tuple[str, ...]:
        """A client that an endpoint has seen within the time goes there again; each endpoint remembers its own."""
        rules = []
        for target in targets:
            name = f"{path}/{target[0]}/{target[1]}"
            memory = f"affinity-{seconds}/{name}"
            self.sets[memory] = f"type ipv4_addr; size 65535; flags dynamic,timeout; timeout {seconds}s;"
            self.chains[f"endpoint/{name}"] = (f"update @{memory} {{ ip saddr }}", _rewrite(port, target))
            rules.append(f"ip saddr @{memory} goto endpoint/{name}")
        verdicts = (f"goto endpoint/{path}/{address}/{number}" for address, number in targets)
        return (*rules, f"{_draw(targets)} vmap {{ {_numbered(verdicts)} }}")

    def _address(self, address: str, port: Port, chain: str, missing: str) -> None:
        self._verdict("ips", f"{address} . {port.protocol} . {port.number}", chain, missing)

    def _verdict(self, kind: str, key: str, chain: str, missing: str) -> None:
        if chain:
            self.elements[f"service-{kind}", key] = f"goto {chain}"
        else:
            self.elements[f"refused-{kind}", key] = missing

    def _datagrams(self, address: str, number: int, port: Port, targets: tuple[Target, ...]) -> None:
        if port.protocol == "udp":
            self.datagrams[address, number] = frozenset(targets)


def _rewrite(port: Port, target: Target) -> str:
    return f"meta l4proto {port.protocol} dnat ip to {target[0]}:{target[1]}"


def _draw(targets: tuple[Target, ...]) -> str:
    return f"numgen random mod {len(targets)}"


def _numbered(values: Iterable[str]) -> str:
    return ", ".join(f"{number} : {value}" for number, value in enumerate(values))
