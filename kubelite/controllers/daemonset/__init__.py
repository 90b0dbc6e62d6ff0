"""DaemonSets: one pod on every node that matches."""

from kubelite.controllers.daemonset.controller import DaemonSetController

__all__ = ["DaemonSetController"]
