"""`explain-service`: how connections to a Service reach its pods: names, rules in the kernel, shares, counts."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from kubelite.cli import text
from kubelite.cli.client import Client, Obj
from kubelite.cli.failure import Failure
from kubelite.cli.kernel_table import KernelTable, NoTable, read
from kubelite.cli.progress import Progress
from kubelite.config import Settings
from kubelite.net.proxy.model import Endpoint, Port, Service, endpoint_slice, service
from kubelite.net.rules import Target, candidates, chosen

HEADER = ["PORT", "ENDPOINT", "POD", "SHARE", "CONNECTIONS"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the API says of one Service."""

    service: Obj
    slices: list[Obj]
    stateful_sets: list[str]  # whose governing Service it is
    domain: str
    node: str


def explain(arguments: argparse.Namespace, progress: Progress) -> int:
    settings = Settings.load(arguments.name) or Settings(name=arguments.name)
    with closing(Client.of(settings)) as client:
        facts = gather(client, arguments.namespace or "default", arguments.service, settings)
        trouble = rules_trouble(client, settings)
    kernel: KernelTable | str = trouble
    if not trouble and service(facts.service).cluster_ips:
        progress("asking the kernel")
        try:
            kernel = read(settings)
        except NoTable as error:
            kernel = str(error)
        progress.wipe()
    print("\n".join(report(facts, kernel)))
    return 0


def gather(client: Client, namespace: str, name: str, settings: Settings) -> Facts:
    found = client.find(f"/api/v1/namespaces/{namespace}/services/{name}")
    if found is None:
        raise Failure(f"there is no Service {name} in namespace {namespace}", "kubectl get services -A lists them")
    selector = {"labelSelector": f"kubernetes.io/service-name={name}"}
    sets = client.items(f"/apis/apps/v1/namespaces/{namespace}/statefulsets")
    return Facts(
        found,
        client.items(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", selector),
        [one["metadata"]["name"] for one in sets if one["spec"].get("serviceName") == name],
        settings.domain,
        settings.node_name,
    )


def rules_trouble(client: Client, settings: Settings) -> str:
    """Why this machine has no rules at all, as the proxy reported it; "" when it has."""
    node = client.find(f"/api/v1/nodes/{settings.node_name}") or {}
    for condition in (node.get("status") or {}).get("conditions") or ():
        if condition["type"] == "ServiceRules" and condition["status"] == "False":
            return str(condition.get("message", ""))
    return ""


def report(facts: Facts, kernel: KernelTable | str) -> Iterator[str]:
    """The lines to print; `kernel` is a text where it couldn't be asked."""
    view = service(facts.service)
    spec = facts.service["spec"]
    kind = "headless" if spec.get("clusterIP") == "None" else spec["type"]
    yield f"Service {'/'.join(view.key)} ({kind})"
    yield from _section("Name", _names(facts, view))
    yield from _section("Rules", _rules(facts, view, kernel))
    rows = list(_endpoints(facts, view, kernel)) if view.cluster_ips else []
    if rows:
        yield from _section("Endpoints", text.columns([HEADER, *rows]).splitlines())
        if view.affinity_seconds:
            yield f"  A client goes where it went before (sessionAffinity ClientIP, {view.affinity_seconds} s)."
    yield from _section("Names of the pods", _pod_names(facts))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    lines = list(lines)
    if lines:
        yield ""
        yield title
        yield from (f"  {line}" for line in lines)


def _full_name(facts: Facts) -> str:
    metadata = facts.service["metadata"]
    return f"{metadata['name']}.{metadata['namespace']}.svc.{facts.domain}"


def _names(facts: Facts, view: Service) -> Iterator[str]:
    spec, name = facts.service["spec"], _full_name(facts)
    if spec["type"] == "ExternalName":
        yield f"{name} is another name (CNAME) of {spec.get('externalName')}"
    elif view.cluster_ips:
        yield f"{name} resolves to {view.cluster_ips[0]}, the Service's own address, whichever pods are behind it"
    else:
        ready = sorted({one["addresses"][0] for one in _endpoint_objects(facts) if _is_ready(one)})
        addresses = ", ".join(ready) or "nothing (no pod is ready)"
        yield f"{name} resolves to {addresses}: one address for each ready pod"


def _rules(facts: Facts, view: Service, kernel: KernelTable | str) -> Iterator[str]:
    if facts.service["spec"]["type"] == "ExternalName":
        yield "None: it is a name only, and the connection goes wherever that name leads."
    elif not view.cluster_ips:
        yield "None: a headless Service (clusterIP: None) has no address that the kernel could rewrite. DNS gives out"
        yield "the addresses of the ready pods, the client picks one and connects to the pod itself."
    elif isinstance(kernel, str):
        yield f"Not to be seen: {kernel}"
    else:
        yield "In the kernel now, for the first packet of each connection; connection tracking keeps to its choice:"
        yield from kernel.ways(_keys(view))
        for chain, rules in kernel.chains_of(*view.key).items():
            yield f"chain {chain} {{"
            yield from (f"  {rule}" for rule in rules)
            yield "}"
        if not any(_is_ready(one) for one in _endpoint_objects(facts)):
            yield "No pod is ready, so connections are refused at once."


def _keys(view: Service) -> set[tuple[str, str]]:
    """(kind, key) of the maps' elements that are this Service's."""
    addresses = view.cluster_ips + view.external_ips + view.balancer_ips
    by_address = {("ips", f"{at} . {port.protocol} . {port.number}") for at in addresses for port in view.ports}
    return by_address | {("node-ports", f"{port.protocol} . {port.node_port}") for port in view.ports if port.node_port}


def _endpoints(facts: Facts, view: Service, kernel: KernelTable | str) -> Iterator[list[str]]:
    pods = _pods_by_address(facts)
    parts = list(map(endpoint_slice, facts.slices))
    for port in view.ports:
        found = candidates(port, parts)
        used = chosen(found, facts.node if view.internal_local else None)
        for endpoint, target in sorted(set(found), key=lambda one: one[1]):
            share = f"1 of {len(used)}" if target in used else f"none ({_why_not(endpoint)})"
            count = "?" if isinstance(kernel, str) else str(_count(kernel, view, port, target))
            shown = f"{port.number}/{port.protocol.upper()}"
            yield [shown, f"{target[0]}:{target[1]}", pods.get(target[0], "-"), share, count]


def _why_not(endpoint: Endpoint) -> str:
    return "terminating" if endpoint.terminating else "not ready" if not endpoint.ready else "of another node"


def _count(kernel: KernelTable, view: Service, port: Port, target: Target) -> int:
    """New connections since the pair was first used, by whichever of the Service's addresses."""
    ways = [(at, port.number) for at in view.cluster_ips + view.external_ips + view.balancer_ips]
    ways += [("", port.node_port)] if port.node_port else []
    return sum(kernel.connections(at, port.protocol, number, *target) for at, number in ways)


def _pod_names(facts: Facts) -> Iterator[str]:
    """A pod with a host name and this Service as its subdomain has a name of its own."""
    rows = sorted(
        [f"{one['hostname']}.{_full_name(facts)}", one["addresses"][0], "" if _is_ready(one) else "not ready"]
        for one in _endpoint_objects(facts)
        if one.get("hostname")
    )
    if rows:
        yield from text.columns(rows).splitlines()
    for name in facts.stateful_sets:
        yield f"They belong to StatefulSet {name}: a pod that comes back has the same name, perhaps another address."


def _endpoint_objects(facts: Facts) -> list[Obj]:
    return [one for part in facts.slices for one in part.get("endpoints") or ()]


def _is_ready(endpoint: Obj) -> bool:
    return (endpoint.get("conditions") or {}).get("ready") is not False


def _pods_by_address(facts: Facts) -> dict[str, str]:
    return {one["addresses"][0]: (one.get("targetRef") or {}).get("name", "-") for one in _endpoint_objects(facts)}
