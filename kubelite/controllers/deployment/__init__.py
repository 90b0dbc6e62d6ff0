"""Deployments: ReplicaSets rolled from one template to the next."""

from kubelite.controllers.deployment.controller import DeploymentController

__all__ = ["DeploymentController"]
