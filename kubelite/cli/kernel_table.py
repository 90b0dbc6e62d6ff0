"""A cluster's table as `nft list table` prints it, taken apart. `read` asks the kernel through the proxy's container."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from kubelite.config import LABEL_CLUSTER, Settings
from kubelite.engine import find, service_rules
from kubelite.lifecycle import engine_of

_BLOCK = re.compile(r"^\t(chain|map|set) (\S+) \{\n(.*?)^\t\}", re.MULTILINE | re.DOTALL)
_VERDICT = re.compile(r"([\w.]+(?: \. [\w.]+)+) : (drop|goto [^\s,}]+)")
_COUNT = re.compile(r"([\w.]+(?: \. [\w.]+)+) counter packets (\d+)")


_ORDER = ("balancer", "external", "service", "local", "all", "endpoint")


class NoTable(Exception):
    """The kernel couldn't be asked; the text says why."""


@dataclass(frozen=True, slots=True)
class KernelTable:
    """`chains`: rules by chain; `verdicts`: where an element of a map leads; `counts`: connections by element."""

    chains: dict[str, list[str]]
    verdicts: dict[tuple[str, str], str]
    counts: dict[tuple[str, ...], int]

    def chains_of(self, namespace: str, name: str) -> dict[str, list[str]]:
        """Those made for one Service (`<what>/<namespace>/<name>/...`), in the order in which a packet meets them."""
        found = [chain for chain in self.chains if chain.split("/")[1:3] == [namespace, name]]
        return {chain: self.chains[chain] for chain in sorted(found, key=_place)}

    def ways(self, keys: set[tuple[str, str]]) -> Iterator[str]:
        """The elements of maps that lead from some keys, as nft writes them."""
        for (name, key), verdict in self.verdicts.items():
            if (name.partition("-")[2], key) in keys:
                yield f"map {name}: {key} : {verdict}"

    def connections(self, sent_to: str, protocol: str, port: int, endpoint: str, number: int) -> int:
        """New connections to an address (with "", to any but the cluster's) that an endpoint got."""
        wanted = (protocol, str(port), endpoint, str(number))
        return sum(count for (to, *rest), count in self.counts.items() if tuple(rest) == wanted and sent_to in ("", to))


def _place(chain: str) -> tuple[int, str]:
    return _ORDER.index(chain.partition("/")[0]), chain


def parse(text: str) -> KernelTable:
    chains: dict[str, list[str]] = {}
    verdicts: dict[tuple[str, str], str] = {}
    counts: dict[tuple[str, ...], int] = {}
    for kind, name, body in _BLOCK.findall(text):
        if kind == "chain":
            chains[name] = [line.strip() for line in body.splitlines()]
        elif kind == "map":
            verdicts |= {(name, key): verdict for key, verdict in _VERDICT.findall(body)}
        elif name == "connections":
            counts |= {tuple(key.split(" . ")): int(packets) for key, packets in _COUNT.findall(body)}
    return KernelTable(chains, verdicts, counts)


def read(settings: Settings) -> KernelTable:
    """What the kernel has now; NoTable when nobody can tell."""
    endpoint = engine_of(settings)
    if endpoint is None:
        raise NoTable("its container engine doesn't answer")
    with closing(find.connect(endpoint)) as client:
        running = client.api.containers(filters={"label": f"{LABEL_CLUSTER}={settings.name}"})
        proxy = next(filter(service_rules.is_proxy, running), None)
        if proxy is None:
            raise NoTable("the kube-proxy pod doesn't run: kubectl -n kube-system describe pods -l k8s-app=kube-proxy")
        command = client.api.exec_create(proxy["Id"], ["nft", "list", "table", "ip", settings.network])
        output = client.api.exec_start(command["Id"]).decode(errors="replace")
        if client.api.exec_inspect(command["Id"])["ExitCode"] != 0:
            raise NoTable(output.strip())
    return parse(output)
