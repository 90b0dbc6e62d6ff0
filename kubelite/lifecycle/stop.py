"""Stopping a cluster: its pods, then its control plane; everything that is stored stays."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable

from kubelite.config import Settings
from kubelite.engine import find, images, service_rules
from kubelite.engine.find import Endpoint
from kubelite.lifecycle.containers import each, labelled
from kubelite.lifecycle.state import running_pid

Progress = Callable[[str], None]

STOP_SECONDS = 15.0
CONTAINER_STOP_SECONDS = 10


def down(settings: Settings, endpoint: Endpoint | None, progress: Progress, *, keep_pods: bool = False) -> bool:
    """Stop the control plane, then (unless `keep_pods`) the containers; False when nothing ran."""
    stopped = stop_control_plane(settings, progress)
    if keep_pods or endpoint is None:
        return stopped
    client = find.connect(endpoint)
    with contextlib.closing(client):
        running = client.api.containers(filters=labelled(settings))
        if running:
            progress(f"stopping {len(running)} containers")
            # The rules last: what stops may still have to reach other pods.
            others = [one for one in running if not service_rules.is_proxy(one)]
            each(lambda one: client.api.stop(one["Id"], timeout=CONTAINER_STOP_SECONDS), others)
            service_rules.remove(client, settings, images.KUBELITE)
    return stopped or bool(running)


def stop_control_plane(settings: Settings, progress: Progress) -> bool:
    pid = running_pid(settings)
    if pid is None:
        return False
    progress("stopping the control plane")
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(descriptor, number)
            if select.select([descriptor], [], [], STOP_SECONDS)[0]:
                break
    finally:
        os.close(descriptor)
    return True
