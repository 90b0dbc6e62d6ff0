"""The CSINode object: which storage drivers the node has, which here are none. Called when the node is registered.

After upstream's `pkg/volume/csi/nodeinfomanager`.
"""

from __future__ import annotations

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client

# Plug-ins that were once part of Kubernetes, and whose volumes are now their drivers' own.
_MIGRATED = ("aws-ebs", "azure-disk", "azure-file", "cinder", "gce-pd", "portworx-volume", "vsphere-volume")
MIGRATED_PLUGINS = "storage.alpha.kubernetes.io/migrated-plugins"


def register_csi_node(client: Client, node: Obj) -> None:
    """Make the object that stands beside the node and goes with it."""
    if client.find("csinodes", None, meta.name(node)) is not None:
        return
    metadata = {
        "name": meta.name(node),
        "annotations": {MIGRATED_PLUGINS: ",".join(f"kubernetes.io/{name}" for name in _MIGRATED)},
        "ownerReferences": [meta.owner_reference(node, controller=False)],
    }
    client.create("csinodes", {"metadata": metadata, "spec": {"drivers": []}})
