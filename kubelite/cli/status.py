"""`status`: how a cluster is, part by part."""

from __future__ import annotations

import argparse
import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address

from kubelite import lifecycle
from kubelite.cli import text
from kubelite.cli.client import ApiError, Client, Obj
from kubelite.cli.cluster import of
from kubelite.cli.engine import described
from kubelite.cli.explain_service import rules_trouble
from kubelite.cli.progress import Progress
from kubelite.cli.volumes import claims_by_volume, used
from kubelite.config import Settings
from kubelite.engine import EngineError
from kubelite.engine.find import Endpoint

_DNS = "/api/v1/namespaces/kube-system/endpoints/kube-dns"


def show(arguments: argparse.Namespace, progress: Progress) -> int:
    settings = Settings.load(arguments.name) or Settings(name=arguments.name)
    found = lifecycle.status(settings)
    engine, told = _engine(settings)
    rows = [["cluster", f"{settings.name}: {_verdict(found)}"], ["engine", told]]
    rows += [["API", _api(settings, found)]] if found.pid else []
    if found.answers:
        try:
            with closing(Client.of(settings)) as client:
                rows += _inside(client, settings)
        except (OSError, ssl.SSLError, http.client.HTTPException, ApiError) as error:
            rows.append(["", f"the API does not answer: {error}"])
    print(text.columns(rows))
    up = found.ready and engine is not None
    if not up:
        print("\n".join(found.failing or [f"type: kubelite up{of(settings)}"]))
    return 0 if up else 1


def _engine(settings: Settings) -> tuple[Endpoint | None, str]:
    """The cluster's, if it answers, and what to say of it."""
    try:
        found = lifecycle.engine_of(settings)
    except EngineError as error:
        return None, error.message
    if found is None:
        return None, f"none answers at {settings.engine.url}" if settings.engine else "none answers"
    return found, described(found)


def _verdict(found: lifecycle.Status) -> str:
    if found.pid is None:
        return "down" if found.exists else "there is none"
    return f"{'up' if found.ready else 'not ready'} (process {found.pid})"


def _api(settings: Settings, found: lifecycle.Status) -> str:
    return f"{settings.api_url} {'ready' if found.ready else 'not ready'}"


def _inside(client: Client, settings: Settings) -> Iterator[list[str]]:
    """What the API says of itself."""
    for node in client.items("/api/v1/nodes"):
        yield ["node", f"{node['metadata']['name']} {'Ready' if _is_true(node, 'Ready') else 'NotReady'}"]
    yield ["DNS", _dns(client, settings)]
    yield ["services", _services(client, settings)]
    pods = client.items("/api/v1/pods")
    ready = sum(_is_true(pod, "Ready") for pod in pods)
    yield ["pods", f"{len(pods)}, {ready} ready"]
    volumes = client.items("/api/v1/persistentvolumes")
    bound = len(claims_by_volume(client))
    size = f"{text.size(used(settings.volumes))}B"
    yield ["volumes", f"{len(volumes)}, {bound} bound, {size} of files in {settings.volumes}"]


def _dns(client: Client, settings: Settings) -> str:
    endpoints = client.find(_DNS) or {}
    addresses = [one["ip"] for subset in endpoints.get("subsets") or () for one in subset.get("addresses") or ()]
    return f"{', '.join(addresses)} ready, for {settings.domain}" if addresses else "not ready"


def _services(client: Client, settings: Settings) -> str:
    trouble = rules_trouble(client, settings)
    if trouble:
        return f"no rules ({trouble}); DNS and the pods' own addresses work inside"
    rules = f"rules in nftables table ip {settings.network}, for {settings.service_cidr}"
    if _is_here(settings.gateway):
        return rules
    return f"{rules}; inside only (the engine's network isn't this machine's: kubectl port-forward leads in)"


def _is_here(address: IPv4Address) -> bool:
    """Whether an interface of this machine has it; with the engine in a VM the pods' gateway is in there."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


def _is_true(obj: Obj, condition: str) -> bool:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return any(entry["type"] == condition and entry["status"] == "True" for entry in conditions)
