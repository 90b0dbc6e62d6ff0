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
from kubelite.lifecycle.lock import alone
from kubelite.lifecycle.state import running_pid

Progress = Callable[[str], None]

END_ALL = signal.SIGUSR1  # to a control plane: end the pods too
END_ALL_SECONDS = 30.0
STOP_SECONDS = 15.0
CONTAINER_STOP_SECONDS = 10


def down(settings: Settings, endpoint: Endpoint | None, progress: Progress, *, keep_pods: bool = False) -> bool:
    """Stop the pods (unless `keep_pods`) and the control plane; False when nothing ran."""
    with_pods = endpoint is not None and not keep_pods
    stopped = stop_control_plane(settings, progress, with_pods=with_pods)
    if endpoint is None or keep_pods:
        return stopped
    with alone(settings, progress):
        if running_pid(settings) is not None:
            return stopped  # somebody has brought it up again meanwhile
        return _stop_containers(settings, endpoint, progress) or stopped


def _stop_containers(settings: Settings, endpoint: Endpoint, progress: Progress) -> bool:
    with contextlib.closing(find.connect(endpoint)) as client:
        running = client.api.containers(filters=labelled(settings))
        if running:
            progress(f"stopping {len(running)} containers")
            # The rules last: what stops may still have to reach other pods.
            others = [one for one in running if not service_rules.is_proxy(one)]
            each(lambda one: client.api.stop(one["Id"], timeout=CONTAINER_STOP_SECONDS), others)
            service_rules.remove(client, settings, images.KUBELITE)
    return bool(running)


def stop_control_plane(settings: Settings, progress: Progress, *, with_pods: bool = False) -> bool:
    """Its pods go on, or (`with_pods`) end first, in their own time; False when it didn't run."""
    pid = running_pid(settings)
    if pid is None:
        return False
    progress("stopping the pods and the control plane" if with_pods else "stopping the control plane")
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    gentle = (END_ALL, END_ALL_SECONDS) if with_pods else (signal.SIGTERM, STOP_SECONDS)
    try:
        for number, seconds in (gentle, (signal.SIGKILL, STOP_SECONDS)):
            signal.pidfd_send_signal(descriptor, number)
            if select.select([descriptor], [], [], seconds)[0]:
                break
    finally:
        os.close(descriptor)
    return True
