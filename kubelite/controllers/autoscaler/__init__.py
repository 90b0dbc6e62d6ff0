"""HorizontalPodAutoscalers: replicas by what the pods use."""

from kubelite.controllers.autoscaler.controller import AutoscalerController

__all__ = ["AutoscalerController"]
