"""StatefulSets: pods with a stable identity and their own claims, created, deleted and updated in order."""

from kubelite.controllers.statefulset.controller import StatefulSetController

__all__ = ["StatefulSetController"]
