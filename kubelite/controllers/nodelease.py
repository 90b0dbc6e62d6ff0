"""The node's heartbeat: its Lease in kube-node-lease, renewed every ten seconds (upstream's node leases)."""

from __future__ import annotations

from collections.abc import Mapping

from kubelite.controllers.runtime import Controller, Key, Mapper
from kubelite.objects import meta

NAMESPACE = "kube-node-lease"
DURATION = 40
PERIOD = 10.0


class NodeLease(Controller):
    name = "node-lease"

    def watches(self) -> Mapping[str, Mapper]:
        return {"nodes": lambda event: [(None, meta.name(event.object))]}

    def reconcile(self, key: Key) -> float | None:
        node = self.client.find("nodes", *key)
        if node is None:
            return None
        renewed = meta.format_micro_time(self.now())
        present = self.client.find("leases", NAMESPACE, key[1])
        if present is None:
            spec = {"holderIdentity": key[1], "leaseDurationSeconds": DURATION, "renewTime": renewed}
            owner = meta.owner_reference(node, controller=False)
            metadata = {"name": key[1], "namespace": NAMESPACE, "ownerReferences": [owner]}
            self.client.create("leases", {"metadata": metadata, "spec": spec})
        else:
            spec = {**present["spec"], "renewTime": renewed}
            self.client.update("leases", {**present, "spec": spec})
        return PERIOD
