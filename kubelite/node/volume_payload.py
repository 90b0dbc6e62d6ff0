"""The files of configMap, secret, downwardAPI and projected volumes. PURE but for the token it is handed.

Follows upstream's `pkg/volume/{configmap,secret,downwardapi,projected}`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kubelite.errors import StatusError
from kubelite.node.environment import Surroundings
from kubelite.node.fields import UnsupportedField, field_value, resource_value
from kubelite.node.security import effective_context
from kubelite.node.view import init_containers, regular_containers
from kubelite.objects import meta
from kubelite.objects.meta import Obj

DEFAULT_MODE = 0o644
TOKEN_EXPIRATION = 3600


class VolumeError(Exception):
    """A volume can't be set up (yet); the message is the FailedMount event's."""


@dataclass(frozen=True, slots=True)
class File:
    """Content and mode of one file."""

    content: bytes
    mode: int
    owner: int | None = None  # a user's number


Payload = dict[str, File]  # by path relative to the volume
TokenSource = Callable[[Obj, str, int], str]  # (pod, audience, expirationSeconds)


def is_payload(volume: Obj) -> bool:
    return any(kind in volume for kind in ("configMap", "secret", "downwardAPI", "projected"))


def payload_of(pod: Obj, volume: Obj, around: Surroundings, token: TokenSource) -> Payload:
    """Raises VolumeError when something that isn't optional is missing."""
    if source := volume.get("configMap"):
        return _keys("configmap", source, source.get("name", ""), _mode(source), around)
    if source := volume.get("secret"):
        return _keys("secret", source, source.get("secretName", ""), _mode(source), around)
    if source := volume.get("downwardAPI"):
        return _downward(pod, source, _mode(source), around)
    return _projected(pod, volume["projected"], around, token)


def references(pod: Obj) -> set[tuple[str, str]]:
    """(plural, name) of the ConfigMaps and Secrets that the pod's volumes show."""
    found: set[tuple[str, str]] = set()
    for volume in pod["spec"].get("volumes") or ():
        for source in [volume, *((volume.get("projected") or {}).get("sources") or ())]:
            if item := source.get("configMap"):
                found.add(("configmaps", item.get("name", "")))
            if item := source.get("secret"):
                found.add(("secrets", item.get("secretName") or item.get("name", "")))
    return found


def _mode(source: Obj) -> int:
    mode = source.get("defaultMode")
    return DEFAULT_MODE if mode is None else int(mode)


def _projected(pod: Obj, projected: Obj, around: Surroundings, token: TokenSource) -> Payload:
    """Of several problems all are told."""
    result: Payload = {}
    problems: dict[str, None] = {}
    for source in projected.get("sources") or ():
        try:
            result |= _projection(pod, source, _mode(projected), around, token)
        except VolumeError as error:
            problems[str(error)] = None
    if problems:
        raise VolumeError(f"[{', '.join(problems)}]" if len(problems) > 1 else next(iter(problems)))
    return result


def _projection(pod: Obj, source: Obj, mode: int, around: Surroundings, token: TokenSource) -> Payload:
    if item := source.get("configMap"):
        return _keys("configmap", item, item.get("name", ""), mode, around)
    if item := source.get("secret"):
        return _keys("secret", item, item.get("name", ""), mode, around)
    if item := source.get("serviceAccountToken"):
        return {item["path"]: _token_file(_token(pod, item, token), mode, pod)}
    return _downward(pod, source.get("downwardAPI") or {}, mode, around)


def _token_file(token: bytes, mode: int, pod: Obj) -> File:
    """Readable for nobody else where the pod says who its user or its group is."""
    owner, group = _only_user(pod), (pod["spec"].get("securityContext") or {}).get("fsGroup")
    return File(token, mode if owner is None and group is None else 0o600, owner)


def _only_user(pod: Obj) -> int | None:
    """The user whom all containers run as, when the pod says so of each. Who debugs the pod doesn't count."""
    containers = [*init_containers(pod), *regular_containers(pod)]
    users = {effective_context(pod, container).get("runAsUser") for container in containers}
    return users.pop() if len(users) == 1 else None


def _token(pod: Obj, source: Obj, token: TokenSource) -> bytes:
    try:
        return token(pod, source.get("audience") or "", source.get("expirationSeconds") or TOKEN_EXPIRATION).encode()
    except StatusError as error:  # its service account is gone: the namespace is being deleted, say
        raise VolumeError(f"failed to fetch token: {error.message}") from error


def _keys(kind: str, source: Obj, name: str, mode: int, around: Surroundings) -> Payload:
    found = around.find(f"{kind}s", name)
    if found is None:
        if source.get("optional"):
            return {}
        raise VolumeError(f'{kind} "{name}" not found')
    content = _content(kind, found)
    items = source.get("items")
    if not items:
        return {key: File(value, mode) for key, value in content.items()}
    return _items(kind, items, content, mode, bool(source.get("optional")))


def _items(kind: str, items: Iterable[Obj], content: dict[str, bytes], mode: int, optional: bool) -> Payload:
    result: Payload = {}
    for item in items:
        if item["key"] in content:
            own = item.get("mode")
            result[item["path"]] = File(content[item["key"]], mode if own is None else int(own))
        elif not optional:
            subject = (
                "configmap references non-existent config" if kind == "configmap" else "references non-existent secret"
            )
            raise VolumeError(f"{subject} key: {item['key']}")
    return result


def _content(kind: str, found: Obj) -> dict[str, bytes]:
    encoded = found.get("binaryData") if kind == "configmap" else found.get("data")
    content = {key: base64.b64decode(value) for key, value in (encoded or {}).items()}
    if kind == "configmap":
        content |= {key: value.encode() for key, value in (found.get("data") or {}).items()}
    return content


def _downward(pod: Obj, source: Obj, mode: int, around: Surroundings) -> Payload:
    result: Payload = {}
    for item in source.get("items") or ():
        try:
            if ref := item.get("fieldRef"):
                text = field_value(pod, ref["fieldPath"], around.pod_address, around.host_address, around.node)
            else:
                text = resource_value(pod, item["resourceFieldRef"], "", around.machine)
        except UnsupportedField as error:
            raise VolumeError(str(error)) from error
        own = item.get("mode")
        result[item["path"]] = File(text.encode(), mode if own is None else int(own))
    return result


def _token_sources(pod: Obj) -> list[Obj]:
    return [
        source["serviceAccountToken"]
        for volume in pod["spec"].get("volumes") or ()
        for source in (volume.get("projected") or {}).get("sources") or ()
        if "serviceAccountToken" in source
    ]


def uses_tokens(pod: Obj) -> bool:
    return bool(_token_sources(pod))


def token_life(pod: Obj) -> int:
    """Seconds that the shortest-lived token of the pod's volumes is good for."""
    return min(int(source.get("expirationSeconds") or TOKEN_EXPIRATION) for source in _token_sources(pod))


def service_account(pod: Obj) -> tuple[str, str]:
    return meta.namespace(pod) or "", pod["spec"].get("serviceAccountName") or "default"
