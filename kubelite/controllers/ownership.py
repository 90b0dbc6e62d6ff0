"""Which objects a controller owns: claiming, adopting orphans, releasing those that stopped matching.

The rules of upstream's `controller_ref_manager`: an object with another controller is never touched; one of ours that
no longer matches is released; a matching orphan is adopted, unless it or the owner is being deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import Selector
from kubelite.registry.client import Client

Claim = Literal["mine", "adopt", "release", "foreign"]


def _everything(obj: Obj) -> bool:
    return True


def judge(owner: Obj, selector: Selector, obj: Obj, member: Callable[[Obj], bool] = _everything) -> Claim:
    """What `owner` has to do with `obj`; `member` narrows what the selector says."""
    ref = meta.controller_of(obj)
    if ref is not None and ref["uid"] != meta.uid(owner):
        return "foreign"
    matches = selector.matches(meta.labels(obj)) and member(obj)
    if ref is not None:
        return "mine" if matches else "foreign" if meta.is_terminating(owner) else "release"
    if not matches or meta.is_terminating(owner) or meta.is_terminating(obj):
        return "foreign"
    return "adopt"


def adoption(obj: Obj, owner: Obj) -> Obj:
    """The merge patch that makes `owner` the controller of `obj`."""
    others = [ref for ref in meta.owner_references(obj) if ref["uid"] != meta.uid(owner)]
    return {"metadata": {"ownerReferences": [*others, meta.owner_reference(owner)]}}


def release(obj: Obj, owner: Obj) -> Obj:
    """The merge patch that takes `owner` off `obj`."""
    others = [ref for ref in meta.owner_references(obj) if ref["uid"] != meta.uid(owner)]
    return {"metadata": {"ownerReferences": others or None}}


def claim(
    client: Client,
    plural: str,
    owner: Obj,
    selector: Selector,
    candidates: Iterable[Obj],
    member: Callable[[Obj], bool] = _everything,
) -> list[Obj]:
    """The candidates that `owner` controls, after adopting and releasing; in the order given."""
    owned = []
    for obj in candidates:
        verdict = judge(owner, selector, obj, member)
        if verdict == "mine":
            owned.append(obj)
        elif verdict == "adopt":
            owned.append(client.patch(plural, meta.namespace(obj), meta.name(obj), adoption(obj, owner)))
        elif verdict == "release":
            _release(client, plural, obj, owner)
    return owned


def _release(client: Client, plural: str, obj: Obj, owner: Obj) -> None:
    try:
        client.patch(plural, meta.namespace(obj), meta.name(obj), release(obj, owner))
    except StatusError as error:
        if error.reason not in ("NotFound", "Invalid"):
            raise
