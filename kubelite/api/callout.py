"""Servers of the cluster's users that the API server itself calls: where they are, and how they show who they are.

For webhooks and aggregated API servers; after apiserver's `util/webhook` and `util/proxy`. A Service is called at one of
its ready endpoints, and its server's certificate has to be for `<service>.<namespace>.svc`.
"""

from __future__ import annotations

import base64
import binascii
import random
import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kubelite.api.proxied import port_name, targets
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Reader


class Unreachable(Exception):
    """Nobody can be called there."""


@dataclass(frozen=True, slots=True)
class Destination:
    """`url` is what messages name and the server is asked for; `address` is where it is reached, if not by that name."""

    url: str
    host: str
    address: str = ""

    @property
    def server_name(self) -> str | None:
        return self.host.rpartition(":")[0] if self.address else None


def destination(reader: Reader, client: Obj) -> Destination:
    """Where a WebhookClientConfig (a `url`, or a `service`) leads."""
    if client.get("url"):
        url = str(client["url"])
        return Destination(url, url.split("/")[2])
    wanted = client["service"]
    namespace, name = wanted["namespace"], wanted["name"]
    service = reader.find("services", namespace, name)
    if service is None:
        raise Unreachable(f'service "{name}" not found')
    host = f"{name}.{namespace}.svc:{wanted['port']}"
    path = "/" + (wanted.get("path") or "").lstrip("/")
    if service["spec"].get("type") == "ExternalName":
        return Destination(f"https://{host}{path}", host, f"{service['spec']['externalName']}:{wanted['port']}")
    endpoints = reader.find("endpoints", namespace, name) or {}
    found = targets({"subsets": endpoints.get("subsets") or ()}, port_name(service, wanted["port"]))
    if not found:
        raise Unreachable(f'no endpoints available for service "{name}"')
    address, port = random.choice(found)
    return Destination(f"https://{host}{path}", host, f"{address}:{port}")


@lru_cache(maxsize=64)
def trust(bundle: str, *, anybody: bool = False, shown: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """Of the certificates in `bundle` (base64 of PEM), or of those that the machine trusts, or of `anybody`.

    `shown` are the files of a certificate and its key that the client shows.
    """
    try:
        context = ssl.create_default_context(cadata=base64.b64decode(bundle).decode() if bundle else None)
    except (ValueError, binascii.Error, ssl.SSLError) as error:
        raise Unreachable(f"unable to load root certificates: {error}") from error
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # Go's rules: no key identifiers needed
    if anybody:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if shown:
        context.load_cert_chain(*shown)
    return context
