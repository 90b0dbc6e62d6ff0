"""Keeps the stored ControllerRevisions in step with their owner: what `revisions` decides is written here."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from kubelite.controllers import ownership, revisions
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import Selector
from kubelite.registry.client import Client

PLURAL = "controllerrevisions"


def owned(client: Client, owner: Obj, selector: Selector) -> list[Obj]:
    """The owner's revisions, oldest first, orphans adopted."""
    candidates = client.list(PLURAL, meta.namespace(owner))
    return revisions.ordered(ownership.claim(client, PLURAL, owner, selector, candidates))


def settle(client: Client, owner: Obj, history: Sequence[Obj], collision_count: int) -> tuple[Obj, int]:
    """The revision of the owner's present template, stored; and the collision count after it."""
    decision = revisions.decide(owner, history, collision_count)
    if decision.create:
        return _create(client, owner, revisions.next_number(history), collision_count)
    if decision.renumber is not None:
        return renumber(client, decision.revision, decision.renumber), collision_count
    return decision.revision, collision_count


def renumber(client: Client, revision: Obj, number: int) -> Obj:
    return client.patch(PLURAL, meta.namespace(revision), meta.name(revision), {"revision": number})


def _create(client: Client, owner: Obj, number: int, collision_count: int) -> tuple[Obj, int]:
    """A name that different data already has is avoided by counting the collision into the hash.

    The same data under the name will do, whoever controls it: mostly that of a former owner of the same name, which
    the garbage collector hasn't reached yet.
    """
    wanted = revisions.new_revision(owner, number, collision_count)
    while True:
        try:
            return client.create(PLURAL, wanted), collision_count
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
        existing = client.get(PLURAL, meta.namespace(wanted), meta.name(wanted))
        if existing["data"] == wanted["data"]:
            return existing, collision_count
        collision_count += 1
        wanted = revisions.renamed(wanted, owner, collision_count)


def truncate(client: Client, owner: Obj, history: Sequence[Obj], live: Collection[str]) -> None:
    """Delete what exceeds the owner's history limit; names in `live` stay."""
    limit = owner["spec"].get("revisionHistoryLimit", revisions.DEFAULT_HISTORY_LIMIT)
    for revision in revisions.superfluous(history, live, limit):
        client.delete(PLURAL, meta.namespace(revision), meta.name(revision))
