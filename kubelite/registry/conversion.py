"""Objects of custom kinds in another of their versions, by the webhook of their definition.

An object is stored in the version that it was written in, and converted when it is read in another one. What has been
converted is remembered for as long as the object doesn't change; what hasn't ends the request with `Pending`, as
admission webhooks do. After apiextensions-apiserver's `apiserver/conversion/webhook_converter`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.webhook_review import Pending

_REMEMBERED = 10_000
_OWN = ("labels", "annotations")  # what a conversion may change of the metadata
_Key = tuple[str, str, str]


class Conversions:
    """What webhooks have converted, least recently used last to stay."""

    def __init__(self) -> None:
        self._converted: OrderedDict[_Key, Obj] = OrderedDict()

    def find(self, obj: Obj, api_version: str) -> Obj | None:
        key = _key(obj, api_version)
        if key in self._converted:
            self._converted.move_to_end(key)
        return self._converted.get(key)

    def keep(self, obj: Obj, converted: Obj) -> None:
        self._converted[_key(obj, converted["apiVersion"])] = converted
        while len(self._converted) > _REMEMBERED:
            self._converted.popitem(last=False)


def _key(obj: Obj, api_version: str) -> _Key:
    return meta.uid(obj), str(obj["metadata"].get("resourceVersion", "")), api_version


@dataclass(frozen=True, slots=True)
class Conversion:
    """A question to a webhook: these objects in that version; `webhook` is a definition's `spec.conversion.webhook`."""

    webhook: Obj
    api_version: str
    objects: Sequence[Obj]
    into: Conversions

    def answered(self, converted: Sequence[Obj]) -> None:
        """Take the answer, if it is one; StatusError when not."""
        if len(converted) != len(self.objects):
            raise self.failed(f"expected {len(self.objects)} converted objects, got {len(converted)}")
        for index, (old, new) in enumerate(zip(self.objects, converted, strict=True)):
            if why := self._wrong(old, new):
                raise self.failed(f"invalid converted object at index {index}: {why}")
            self.into.keep(old, new | {"metadata": _metadata(old["metadata"], new["metadata"])})

    def _wrong(self, old: Obj, new: Obj) -> str:
        if new.get("apiVersion") != self.api_version:
            return f"invalid apiVersion (actual={new.get('apiVersion')}, desired={self.api_version})"
        if new.get("kind") != old["kind"]:
            return f"invalid kind (actual={new.get('kind')}, desired={old['kind']})"
        metadata = new.get("metadata") or {}
        for key in ("name", "namespace", "uid"):
            if metadata.get(key) != old["metadata"].get(key):
                return f"invalid metadata.{key}"
        return ""

    def failed(self, why: str) -> StatusError:
        first = self.objects[0]
        return StatusError(500, "", f"conversion webhook for {first['apiVersion']}, Kind={first['kind']} failed: {why}")


def _metadata(old: Obj, new: Obj) -> Obj:
    kept = {key: value for key, value in old.items() if key not in _OWN}
    return kept | {key: new[key] for key in _OWN if new.get(key)}


@dataclass(frozen=True, slots=True)
class Converter:
    """To one version of a custom kind."""

    webhook: Obj
    api_version: str
    done: Conversions

    def require(self, objects: Iterable[Obj]) -> None:
        """Pending when not all of them have been converted; one call does them all."""
        others = [one for one in objects if one["apiVersion"] != self.api_version]
        if missing := [one for one in others if self.done.find(one, self.api_version) is None]:
            raise Pending(conversions=[Conversion(self.webhook, self.api_version, missing, self.done)])

    def converted(self, obj: Obj) -> Obj:
        if obj["apiVersion"] == self.api_version:
            return obj
        self.require([obj])
        return self.done.find(obj, self.api_version) or obj
