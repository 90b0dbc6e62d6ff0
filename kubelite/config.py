"""Settings of one cluster: names, ranges, paths. Read everywhere, changed nowhere."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

KUBERNETES_VERSION = "v1.32.0"
DEFAULT_NAME = "kubelite"
POD_CIDR = IPv4Network("172.30.0.0/16")
SERVICE_CIDR = IPv4Network("10.254.0.0/16")

_FILE = "settings.json"

LABEL_CLUSTER = "kubelite.cluster"
LABEL_SERVICE_CIDR = "kubelite.service-cidr"  # of the network: the range that the cluster's rules take on the host
LABEL_HOME = "kubelite.home"  # of the network: where the cluster's directory is
LABEL_POD_NAME = "io.kubernetes.pod.name"
LABEL_POD_NAMESPACE = "io.kubernetes.pod.namespace"
LABEL_POD_UID = "io.kubernetes.pod.uid"
LABEL_CONTAINER_NAME = "io.kubernetes.container.name"


def home() -> Path:
    """`$KUBELITE_HOME`, else `kubelite` in the XDG data directory."""
    if explicit := os.environ.get("KUBELITE_HOME"):
        return Path(explicit).absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data).absolute() / "kubelite"


@dataclass(frozen=True, slots=True)
class EngineMark:
    """The engine that has a cluster's containers: which one it is, and where it answered last."""

    id: str
    url: str
    tls: str = ""  # the directory of its certificates


@dataclass(frozen=True, slots=True)
class Settings:
    """One cluster on one engine. Ranges are the notes' own; `directory` holds everything it keeps on disk.

    `asked` has what was asked for and couldn't be had when the cluster was made, by the name of the setting.
    """

    name: str = DEFAULT_NAME
    home: Path = field(default_factory=home)
    pod_cidr: IPv4Network = POD_CIDR
    service_cidr: IPv4Network = SERVICE_CIDR
    domain: str = "cluster.local"
    api_port: int = 6443
    engine: EngineMark | None = None
    asked: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def load(cls, name: str = DEFAULT_NAME, at: Path | None = None) -> Settings | None:
        """The settings of an existing cluster, None where there is none."""
        path = (at or home()) / name / _FILE
        if not path.exists():
            return None
        stored = json.loads(path.read_text())
        return cls(
            name=name,
            home=at or home(),
            pod_cidr=IPv4Network(stored["podCIDR"]),
            service_cidr=IPv4Network(stored["serviceCIDR"]),
            domain=stored["domain"],
            api_port=stored["apiPort"],
            engine=EngineMark(**stored["engine"]) if stored.get("engine") else None,
            asked=stored.get("asked") or {},
        )

    def save(self) -> None:
        stored = {
            "podCIDR": str(self.pod_cidr),
            "serviceCIDR": str(self.service_cidr),
            "domain": self.domain,
            "apiPort": self.api_port,
            "engine": asdict(self.engine) if self.engine else None,
            "asked": dict(self.asked),
        }
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.directory / _FILE
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(stored, indent=2) + "\n")
        temporary.replace(path)

    @property
    def directory(self) -> Path:
        return self.home / self.name

    @property
    def volumes(self) -> Path:
        """The export directory: one subdirectory per provisioned claim."""
        return self.directory / "volumes"

    @property
    def pods(self) -> Path:
        """Per-pod directories (`<uid>/`): volumes that live and die with the pod, resolv.conf, hosts."""
        return self.directory / "pods"

    @property
    def pki(self) -> Path:
        return self.directory / "pki"

    @property
    def database(self) -> Path:
        return self.directory / "state.db"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def log(self) -> Path:
        return self.directory / "kubelite.log"

    @property
    def pid_file(self) -> Path:
        return self.directory / "kubelite.pid"

    @property
    def node_name(self) -> str:
        return self.name

    @property
    def api_url(self) -> str:
        """For clients on this host."""
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def api_url_for_pods(self) -> str:
        """For clients on the pod network; it needs no service rules."""
        return f"https://{self.gateway}:{self.api_port}"

    @property
    def network(self) -> str:
        """The engine network that carries the pods."""
        return f"kubelite-{self.name}" if self.name != DEFAULT_NAME else DEFAULT_NAME

    @property
    def gateway(self) -> IPv4Address:
        return self.pod_cidr[1]

    @property
    def dns_pod_address(self) -> IPv4Address:
        """Pinned, so that resolv.conf can name it."""
        return self.pod_cidr[2]

    @property
    def dns_service_address(self) -> IPv4Address:
        return self.service_cidr[2]

    @property
    def kubernetes_service_address(self) -> IPv4Address:
        return self.service_cidr[1]
