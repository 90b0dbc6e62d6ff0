"""What the proxy tells the API: an event where a Service's port is taken, and on the Node whether rules work here."""

from __future__ import annotations

import http.client
import logging
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import msgspec

from kubelite.net.proxy.model import Service
from kubelite.net.rules import Listen
from kubelite.net.watch import Access

CONDITION = "ServiceRules"
COMPONENT = "kube-proxy"

log = logging.getLogger(__name__)


class Reporter:
    """Writes at most; what can't be delivered is logged and forgotten, for the rules matter more."""

    def __init__(self, access: Access, node: str) -> None:
        self._access = access
        self._node = node
        self._said: tuple[str, str] | None = None

    def rules(self, reason: str, message: str, *, work: bool) -> None:
        """The Node's condition; said once until it is another one."""
        if self._said == (reason, message):
            return
        now = _timestamp()
        condition = {
            "type": CONDITION,
            "status": "True" if work else "False",
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        path = f"/api/v1/nodes/{self._node}/status"
        body = {"status": {"conditions": [condition]}}
        if self._send("PATCH", path, body, "application/strategic-merge-patch+json"):
            self._said = (reason, message)

    def taken(self, service: Service, listen: Listen) -> None:
        namespace, name = service.key
        where = f"{listen.address}:{listen.port}" if listen.address else f"port {listen.port}"
        kind = "address" if listen.address else "node"
        message = (
            f"{kind} {where}/{listen.protocol.upper()} of this Service is taken by another program on the host, "
            f"so it doesn't lead here; free it or choose another one"
        )
        log.warning("%s/%s: %s", namespace, name, message)
        now = _timestamp()
        event = {
            "metadata": {"name": f"{name}.{time.time_ns():x}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Service",
                "namespace": namespace,
                "name": name,
                "uid": service.uid,
            },
            "type": "Warning",
            "reason": "PortTaken" if listen.address else "NodePortTaken",
            "message": message,
            "source": {"component": COMPONENT, "host": self._node},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._node,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self._send("POST", f"/api/v1/namespaces/{namespace}/events", event, "application/json")

    def _send(self, method: str, path: str, body: dict[str, Any], content_type: str) -> bool:
        headers = {**self._access.headers(), "Content-Type": content_type}
        try:
            with closing(self._access.connect()) as connection:
                connection.request(method, path, msgspec.json.encode(body), headers)
                answer = connection.getresponse()
                text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            log.warning("%s %s: %s", method, path, error)
            return False
        if answer.status >= 400:
            log.warning("%s %s: %s %s", method, path, answer.status, text.decode(errors="replace"))
        return answer.status < 400


def _timestamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
