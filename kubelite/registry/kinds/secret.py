"""Secrets: `stringData`, the types with required keys."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any

import msgspec

from kubelite.errors import FieldError, invalid_value, required, too_long
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.configmap import SIZE_LIMIT, decoded_size, immutability_errors, key_errors
from kubelite.registry.printing import age

_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"
_ACCOUNT_NAME = "kubernetes.io/service-account.name"
_REQUIRED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_JSON_KEYS = {"kubernetes.io/dockercfg": ".dockercfg", "kubernetes.io/dockerconfigjson": ".dockerconfigjson"}


def _default(secret: Obj) -> None:
    secret["type"] = secret.get("type") or "Opaque"


def _prepare(new: Obj, old: Obj | None) -> None:
    """`stringData` is write-only: it ends up in `data`."""
    texts = new.pop("stringData", None) or {}
    if texts:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in texts.items()}
        new["data"] = (new.get("data") or {}) | encoded


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    data = new.get("data") or {}
    errors = key_errors("data", data)
    if sum(map(decoded_size, data.values())) > SIZE_LIMIT:
        errors.append(too_long("data", SIZE_LIMIT))
    errors += _type_errors(new, data)
    if old is not None:
        errors += validation.unchanged("type", new.get("type"), old.get("type"))
        errors += immutability_errors(new, old, ("data",))
    return errors


def _type_errors(secret: Obj, data: Obj) -> list[FieldError]:
    kind = secret.get("type", "")
    if kind == _ACCOUNT_TOKEN and not meta.annotations(secret).get(_ACCOUNT_NAME):
        return [required(f"metadata.annotations[{_ACCOUNT_NAME}]")]
    if kind == "kubernetes.io/basic-auth" and not data.keys() & {"username", "password"}:
        return [required("data[%s][username]"), required("data[%s][password]")]  # sic, upstream's paths
    if kind == "kubernetes.io/ssh-auth" and not data.get("ssh-privatekey"):
        return [required("data[%s][ssh-privatekey]")]
    missing = [required(f"data[{key}]") for key in _REQUIRED_KEYS.get(kind, ()) if key not in data]
    if missing or kind not in _JSON_KEYS:
        return missing
    return _json_errors(_JSON_KEYS[kind], data)


def _json_errors(key: str, data: Obj) -> list[FieldError]:
    try:
        msgspec.json.decode(base64.b64decode(data[key]), type=dict)
    except (binascii.Error, msgspec.DecodeError) as error:
        return [invalid_value(f"data[{key}]", "<secret contents redacted>", str(error))]
    return []


def _row(secret: Obj, now: datetime) -> list[Any]:
    return [meta.name(secret), secret.get("type", ""), len(secret.get("data") or {}), age(secret, now)]


SECRET = Kind(
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    singular="secret",
    namespaced=True,
    columns=(
        NAME_COLUMN,
        Column("Type", description="What the data is for."),
        Column("Data", description="How many keys it has."),
        AGE_COLUMN,
    ),
    row=_row,
    default=_default,
    prepare=_prepare,
    validate=_validate,
    fields={"type": lambda secret: str(secret.get("type", ""))},
)
