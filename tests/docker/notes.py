"""What the walk-through's tests share: the notes' manifests, what happens to pods in order, look-ups of names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from ipaddress import IPv4Network
from pathlib import Path

import dns.reversename
from dns.resolver import Resolver

from kubelite.cli.client import TABLE, Obj
from kubelite.config import SERVICE_CIDR, Settings
from kubelite.testing.namespace import Namespace
from tests import terminal
from tests.kubectls import Kubectl

PODS = "/api/v1/namespaces/default/pods"
SECONDS = 60.0
SET = "statefulset-test"
ORDINALS = tuple(f"{SET}-{ordinal}" for ordinal in range(3))
DOMAIN = "default.svc.cluster.local"


@dataclass(frozen=True, slots=True)
class Seen:
    """One event of a watch of pods, with what `kubectl get pods` shows."""

    type: str
    name: str
    status: str
    ready: bool
    uid: str


class Notes:
    """The notes' cluster and whoever types there: a namespace, a kubectl, a directory with the manifests."""

    def __init__(self, view: Namespace, kubectl: Kubectl, directory: Path) -> None:
        self.view = view
        self.program = kubectl
        self.directory = directory
        view.program = kubectl.program
        for entry in resources.files("kubelite.demo").iterdir():
            if entry.name.endswith(".yaml"):
                (directory / entry.name).write_text(self._local(entry.read_text()))

    @property
    def settings(self) -> Settings:
        return self.view.settings

    def service_address(self, last: str) -> str:
        """The notes' `10.254.<last>`, or its counterpart where that range was taken."""
        return self._local(f"10.254.{last}")

    def _local(self, text: str) -> str:
        return text.replace(_prefix(SERVICE_CIDR), _prefix(self.settings.service_cidr))

    # typing

    def kubectl(self, line: str, *, check: bool = True) -> str:
        """What is typed after `kubectl`, split at blanks; the answer on stdout."""
        arguments = [str(self.directory / word) if word.endswith(".yaml") else word for word in line.split()]
        return self.view.kubectl(*arguments, check=check).stdout

    def exec_on_terminal(self, pod: str, command: str) -> str:
        """`kubectl exec -it POD COMMAND` as in the notes."""
        words = [*(["--"] if self.program.needs_dashes else []), *command.split()]
        done = terminal.run([self.program.program, "exec", "-it", pod, *words], self.view.environment)
        assert done.code == 0, done.text
        return "".join(line for line in done.text.splitlines(keepends=True) if "is DEPRECATED" not in line)

    def table(self, line: str) -> list[list[str]]:
        """Rows under the heads of an answer with one table."""
        return [row.split() for row in self.kubectl(line).splitlines()[1:]]

    def described(self, line: str) -> dict[str, str]:
        """The lines `Name: value` of a description at its left edge."""
        pairs = re.findall(r"^([A-Z][^:\n]*): +(.*)$", self.kubectl(line), re.MULTILINE)
        return {name: value.strip() for name, value in pairs}

    def edit(self, manifest: str, old: str, new: str) -> None:
        path = self.directory / manifest
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def ready_set(self, manifest: str, replicas: int = 3) -> None:
        self.kubectl(f"apply -f {manifest}")
        self.view.wait("statefulsets", SET)
        assert len(self.pods()) == replicas

    # pods

    def pods(self) -> list[Obj]:
        """Those of the notes, by name."""
        found = self.view.list("pods", "app")
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    def addresses(self) -> dict[str, str]:
        return {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in self.pods()}

    def now(self) -> str:
        version: str = self.view.client.get(PODS)["metadata"]["resourceVersion"]
        return version

    def happened(self, since: str, until: Callable[[Sequence[Seen]], bool]) -> list[Seen]:
        """Everything that pods went through after `since`, to the moment when `until` holds of it."""
        seen: list[Seen] = []
        query = {"resourceVersion": since, "labelSelector": "app"}
        for event in self.view.client.watch(PODS, query, accept=TABLE, timeout=SECONDS):
            seen.extend(_rows(event))
            if until(seen):
                return seen
        raise AssertionError(f"the watch ended after {seen}")

    # names

    def nslookup(self, name: str) -> str:
        """Asked from inside a pod."""
        return self.kubectl(f"exec tools -- nslookup {name} {self.service_address('0.2')}")

    def resolve(self, name: str, kind: str = "A") -> list[str]:
        """Asked from the host."""
        return sorted(str(record).rstrip(".") for record in self._resolver().resolve(name, kind))

    def reverse(self, address: str) -> list[str]:
        return self.resolve(str(dns.reversename.from_address(address)), "PTR")

    def _resolver(self) -> Resolver:
        resolver = Resolver(configure=False)
        resolver.nameservers = [str(self.settings.dns_pod_address)]
        return resolver


def _prefix(network: IPv4Network) -> str:
    """`10.254.` of 10.254.0.0/16."""
    return str(network.network_address).removesuffix("0.0")


def _rows(event: Obj) -> Iterator[Seen]:
    for row in event["object"]["rows"]:
        name, ready, status = row["cells"][:3]
        yield Seen(event["type"], name, status, (ready, status) == ("1/1", "Running"), row["object"]["metadata"]["uid"])


def ready_count(count: int) -> Callable[[Sequence[Seen]], bool]:
    """As many pods as that are ready by now."""
    return lambda seen: sum(last.ready for last in latest(seen)) == count


def gone(*names: str) -> Callable[[Sequence[Seen]], bool]:
    return lambda seen: {event.name for event in seen if event.type == "DELETED"} >= set(names)


def latest(seen: Sequence[Seen]) -> list[Seen]:
    return list({event.name: event for event in seen}.values())


def first(seen: Sequence[Seen], name: str, fits: Callable[[Seen], bool]) -> int:
    """The place of the first event of a pod that fits."""
    return next(at for at, event in enumerate(seen) if event.name == name and fits(event))


def statuses(seen: Sequence[Seen], name: str) -> list[str]:
    """What the STATUS column showed, without repetitions."""
    shown = [event.status for event in seen if event.name == name]
    return [status for at, status in enumerate(shown) if at == 0 or shown[at - 1] != status]
