"""ReplicaSets: a number of interchangeable pods."""

from kubelite.controllers.replicaset.controller import ReplicaSetController

__all__ = ["ReplicaSetController"]
