"""Wait for an object to become what is asked for, by watching it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from kubelite.cli.client import Client, Obj
from kubelite.cli.discovery import Resource
from kubelite.cli.failure import Failure

SECONDS = 120.0


def states(client: Client, resource: Resource, namespace: str, name: str, seconds: float) -> Iterator[Obj | None]:
    """The object now and after every change, None while it is not there; TimeoutError when time is up."""
    deadline = time.monotonic() + seconds
    query = {"fieldSelector": f"metadata.name={name}"}
    listed = client.get(resource.path(namespace), query)
    yield next(iter(listed["items"]), None)
    query |= {"resourceVersion": listed["metadata"]["resourceVersion"]}
    for event in client.watch(resource.path(namespace), query, timeout=seconds):
        yield None if event["type"] == "DELETED" else event["object"]
        if time.monotonic() > deadline:
            raise TimeoutError


def until(
    client: Client,
    resource: Resource,
    namespace: str,
    name: str,
    condition: Callable[[Obj | None], bool],
    seconds: float = SECONDS,
) -> None:
    """Return when the condition holds."""
    try:
        if any(condition(state) for state in states(client, resource, namespace, name, seconds)):
            return
    except TimeoutError:
        pass
    raise Failure(f"timed out waiting for {resource.shown(name)} after {seconds:.0f} s")


def gone(uid: str) -> Callable[[Obj | None], bool]:
    """It is no more; another may have taken its name."""
    return lambda state: state is None or state["metadata"]["uid"] != uid


def absent(state: Obj | None) -> bool:
    return state is None


def has_condition(name: str) -> Callable[[Obj | None], bool]:
    """One of its conditions has this name and is true."""

    def reached(state: Obj | None) -> bool:
        conditions = ((state or {}).get("status") or {}).get("conditions") or ()
        return any(entry["type"] == name and entry["status"] == "True" for entry in conditions)

    return reached


def rolled_out(state: Obj | None) -> bool:
    """A workload's controller has seen its spec, and all of its replicas are new and ready."""
    if state is None:
        return False
    status, wanted = state.get("status") or {}, state["spec"].get("replicas", 1)
    seen: bool = status.get("observedGeneration", 0) >= state["metadata"].get("generation", 0)
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
    return seen and counts == [wanted] * 3
