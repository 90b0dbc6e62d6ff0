"""A local mini-cluster: the Kubernetes API over plain Docker containers."""

__version__ = "0.1.0"
