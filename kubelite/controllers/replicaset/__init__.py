"""ReplicaSets and ReplicationControllers: a number of interchangeable pods."""

from kubelite.controllers.replicaset.controller import ReplicaSetController, ReplicationManager

__all__ = ["ReplicaSetController", "ReplicationManager"]
