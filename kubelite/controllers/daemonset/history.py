"""Keeps a DaemonSet's ControllerRevisions; upstream's `constructHistory` and `cleanupHistory`.

They differ from a StatefulSet's in their hash, which is the pods' revision label as it stands.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kubelite.controllers import history, revisions
from kubelite.controllers import pods as podq
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client


class Collision(Exception):
    """Another revision has the name that the hash gives."""


def label(revision: Obj) -> str:
    return meta.labels(revision).get(podq.REVISION_LABEL) or meta.name(revision)


def deduplicated(
    client: Client, ds: Obj, past: Sequence[Obj], pods: Sequence[Obj]
) -> tuple[Sequence[Obj], Sequence[Obj]]:
    """Of several revisions of the present template (somebody made one by hand) the last stays.

    The pods of the others get its label, so that nothing is restarted for it.
    """
    data = revisions.data_of(ds["spec"]["template"])
    equal = [revision for revision in past if revision["data"] == data]
    if len(equal) < 2:
        return past, pods
    *doubles, last = equal
    labels = set(map(label, doubles))
    patch = {"metadata": {"labels": {podq.REVISION_LABEL: label(last)}}}
    pods = [
        client.patch("pods", meta.namespace(pod), meta.name(pod), patch) if podq.revision(pod) in labels else pod
        for pod in pods
    ]
    for revision in doubles:
        client.delete(history.PLURAL, meta.namespace(revision), meta.name(revision))
    return [revision for revision in past if revision not in doubles], pods


def settle(client: Client, ds: Obj, past: Sequence[Obj], collision_count: int | None) -> Obj:
    """The stored revision of the present template; `past` are all of the set's, oldest first."""
    data = revisions.data_of(ds["spec"]["template"])
    equal = [revision for revision in past if revision["data"] == data]
    others = [revision for revision in past if revision["data"] != data]
    number = revisions.next_number(others)
    if not equal:
        return _create(client, ds, data, number, collision_count)
    if equal[-1]["revision"] < number:
        return history.renumber(client, equal[-1], number)
    return equal[-1]


def _create(client: Client, ds: Obj, data: Obj, number: int, collision_count: int | None) -> Obj:
    digest = revisions.template_hash(ds["spec"]["template"], collision_count)
    wanted = revisions.named_revision(ds, number, data, digest, {podq.REVISION_LABEL: digest})
    try:
        return client.create(history.PLURAL, wanted)
    except StatusError as error:
        if error.reason != "AlreadyExists":
            raise
        raise Collision from error


def truncate(client: Client, ds: Obj, past: Sequence[Obj], current: Obj, used: Collection[str]) -> None:
    """Delete the oldest revisions beyond the limit that no pod is labelled with."""
    limit = int(ds["spec"].get("revisionHistoryLimit", revisions.DEFAULT_HISTORY_LIMIT))
    old = [revision for revision in past if meta.name(revision) != meta.name(current)]
    unused = [revision for revision in old if label(revision) not in used]
    for revision in unused[: max(0, len(old) - limit)]:
        client.delete(history.PLURAL, meta.namespace(revision), meta.name(revision))
