"""Keeps PodDisruptionBudgets' counts, which the eviction subresource goes by."""

from kubelite.controllers.disruption.controller import DisruptionController
from kubelite.controllers.disruption.stale import StaleDisruptions

__all__ = ["DisruptionController", "StaleDisruptions"]
