"""What happens to a whole cluster: up, down, delete, and what its status is. Called by the CLI and the pytest plugin.

`down` stops the control plane and the containers and keeps everything; `delete` leaves nothing that carries the
cluster's label behind. Each idea has its module; this one names what callers use.
"""

from __future__ import annotations

from kubelite.lifecycle.home_engine import engine_for_up, engine_of
from kubelite.lifecycle.removal import delete, leave_engine
from kubelite.lifecycle.start import StartFailed, prepare, serve_here, up
from kubelite.lifecycle.state import Status, running_pid, status
from kubelite.lifecycle.stop import down, stop_control_plane

__all__ = [
    "StartFailed",
    "Status",
    "delete",
    "down",
    "engine_for_up",
    "engine_of",
    "leave_engine",
    "prepare",
    "running_pid",
    "serve_here",
    "status",
    "stop_control_plane",
    "up",
]
