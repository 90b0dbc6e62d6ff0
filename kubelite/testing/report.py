"""What is shown of a failed test's namespace: its pods, its latest events, the end of its pods' logs."""

from __future__ import annotations

from collections.abc import Iterator

from kubelite.cli import text
from kubelite.cli.client import TABLE, ApiError, Client, Obj
from kubelite.cli.daily import table_rows

EVENTS = 25
LINES = 20


def describe(client: Client, namespace: str) -> str:
    return "\n\n".join(_parts(client, f"/api/v1/namespaces/{namespace}"))


def _parts(client: Client, path: str) -> Iterator[str]:
    pods = client.get(f"{path}/pods", accept=TABLE)
    yield _table(pods) if pods["rows"] else "no pods"
    events = client.get(f"{path}/events", accept=TABLE)
    events["rows"] = sorted(events["rows"], key=_last_seen)[-EVENTS:]
    if events["rows"]:
        yield _table(events, wide=False)
    for pod in client.items(f"{path}/pods"):
        for container in _containers(pod):
            yield from _log(client, path, pod["metadata"]["name"], container)


def _table(answer: Obj, *, wide: bool = True) -> str:
    return text.columns(list(table_rows(answer, wide=wide)))


def _last_seen(row: Obj) -> str:
    """Events are told apart by the second only; their order in the list decides within one."""
    return str(row["object"]["metadata"].get("creationTimestamp") or "")


def _containers(pod: Obj) -> list[str]:
    spec = pod["spec"]
    return [container["name"] for container in (*(spec.get("initContainers") or ()), *spec["containers"])]


def _log(client: Client, path: str, pod: str, container: str) -> Iterator[str]:
    query = {"container": container, "tailLines": str(LINES)}
    try:
        lines = client.text(f"{path}/pods/{pod}/log", query).rstrip()
    except ApiError:
        return  # it has not started yet; the table and the events say why
    if lines:
        yield f"--- log of {pod}, container {container}\n{lines}"
