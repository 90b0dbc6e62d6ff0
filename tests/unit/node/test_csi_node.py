"""The object that says which storage drivers the node has."""

from __future__ import annotations

from kubelite.node.csi_node import MIGRATED_PLUGINS, register_csi_node
from kubelite.objects import meta
from kubelite.registry.registry import Registry


def test_it_goes_with_its_node_and_is_made_once(registry: Registry) -> None:
    node = registry.create("nodes", {"metadata": {"name": "node"}})
    register_csi_node(registry, node)
    made = registry.get("csinodes", None, "node")
    assert made["spec"] == {"drivers": []}
    assert meta.annotations(made)[MIGRATED_PLUGINS].startswith("kubernetes.io/aws-ebs,kubernetes.io/azure-disk,")
    owner = {"apiVersion": "v1", "kind": "Node", "name": "node", "uid": meta.uid(node)}
    assert meta.owner_references(made) == [owner]
    register_csi_node(registry, node)
    assert registry.get("csinodes", None, "node") == made
