"""CertificateSigningRequests: who asks for which certificate, and what became of it.

Strategy and validation after upstream's `registry/certificates` and `apis/certificates/validation`; the controller
`certificates` signs what has been approved.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509

from kubelite.errors import FieldError, duplicate, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.printing import NONE, age, human_duration

USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
    "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel",
    "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime",
    "server auth", "signing", "timestamping",
)  # fmt: skip
_VERDICTS = ("Approved", "Denied")
_SHORTEST = 600


def verdicts(request: Obj) -> set[str]:
    """The types of its conditions."""
    return {one.get("type", "") for one in (request.get("status") or {}).get("conditions") or ()}


def _requested_by(request: Obj, user: Mapping[str, Any]) -> None:
    """Who asks isn't the asker's to say."""
    spec = request["spec"] = dict(request.get("spec") or {})
    for key in ("username", "uid", "groups", "extra"):
        spec.pop(key, None)
        if user.get(key):
            spec[key] = user[key]


def _prepare(new: Obj, old: Obj | None) -> None:
    """What was asked for stays."""
    new["spec"] = (old or new).get("spec") or {}


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    return [] if old is not None else list(_spec_errors(new["spec"]))


def _spec_errors(spec: Obj) -> Iterator[FieldError]:
    try:
        x509.load_pem_x509_csr(base64.b64decode(spec.get("request") or ""))
    except ValueError:
        yield invalid_value("spec.request", spec.get("request") or "", "PEM block type must be CERTIFICATE REQUEST")
    usages = spec.get("usages") or []
    if not usages:
        yield required("spec.usages")
    for index, usage in enumerate(usages):
        if usage not in USAGES:
            yield not_supported(f"spec.usages[{index}]", usage, USAGES)
        if usage in usages[:index]:
            yield duplicate(f"spec.usages[{index}]", usage)
    signer = spec.get("signerName") or ""
    domain, _, name = signer.partition("/")
    if not signer:
        yield required("spec.signerName")
    elif not name or "." not in domain or validation.dns_subdomain(domain):
        text = 'must be a fully qualified domain and path of the form "example.com/signer-name"'
        yield invalid_value("spec.signerName", signer, text)
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _SHORTEST:
        text = f"may not specify a duration less than {_SHORTEST} seconds (10 minutes)"
        yield invalid_value("spec.expirationSeconds", seconds, text)


def _condition_errors(new: Obj, old: Obj) -> list[FieldError]:
    path, errors = "status.conditions", []
    conditions = new["status"].get("conditions") or []
    for index, condition in enumerate(conditions):
        if not condition.get("type"):
            errors.append(required(f"{path}[{index}].type"))
        elif condition["type"] in (*_VERDICTS, "Failed") and condition.get("status") != "True":
            errors.append(not_supported(f"{path}[{index}].status", condition.get("status"), ("True",)))
    if set(_VERDICTS) <= {condition.get("type") for condition in conditions}:
        text = "Approved and Denied conditions are mutually exclusive"
        errors.append(invalid_value(path, [one["type"] for one in conditions], text))
    return errors


def _stamped(conditions: list[Obj], old: Obj, now: datetime) -> list[Obj]:
    known = {one.get("type"): one for one in old.get("conditions") or ()}
    moment, found = meta.format_time(now), []
    for condition in conditions:
        before = known.get(condition.get("type"))
        moved = before.get("lastTransitionTime") if before and before.get("status") == condition.get("status") else None
        times = {"lastUpdateTime": moment, "lastTransitionTime": moved or moment}
        given = {key: value for key, value in condition.items() if value is not None}
        found.append({**times, "status": "True", **given})
    return found


def _approval(status: Obj, old: Obj, now: datetime) -> Obj:
    """Through the subresource, the conditions change and nothing else."""
    return {**old, "conditions": _stamped(status.get("conditions") or [], old, now)}


def _status(status: Obj, old: Obj, now: datetime) -> Obj:
    """The verdict isn't changed in passing."""
    verdict = [one for one in old.get("conditions") or () if one.get("type") in _VERDICTS]
    others = [one for one in status.get("conditions") or () if one.get("type") not in _VERDICTS]
    kept = {key: value for key, value in status.items() if key != "conditions"}
    conditions = [*verdict, *_stamped(others, old, now)]
    return kept | ({"conditions": conditions} if conditions else {})


def _state(request: Obj) -> str:
    found = verdicts(request)
    verdict = "Denied" if "Denied" in found else "Approved" if "Approved" in found else "Pending"
    issued = (request.get("status") or {}).get("certificate")
    return ",".join([verdict, *(["Failed"] if "Failed" in found else []), *(["Issued"] if issued else [])])


def _row(request: Obj, now: datetime) -> list[Any]:
    spec = request["spec"]
    seconds = spec.get("expirationSeconds")
    return [
        meta.name(request),
        age(request, now),
        spec.get("signerName") or NONE,
        spec.get("username", ""),
        human_duration(timedelta(seconds=seconds)) if seconds is not None else NONE,
        _state(request),
    ]


CERTIFICATE_SIGNING_REQUEST = Kind(
    group="certificates.k8s.io",
    version="v1",
    kind="CertificateSigningRequest",
    plural="certificatesigningrequests",
    singular="certificatesigningrequest",
    namespaced=False,
    short_names=("csr",),
    columns=(
        NAME_COLUMN,
        AGE_COLUMN,
        Column("SignerName", description="Who is to sign it."),
        Column("Requestor", description="Who asks."),
        Column("RequestedDuration", description="How long the certificate is to be valid."),
        Column("Condition", description="What became of it."),
    ),
    row=_row,
    subresources=frozenset({"status", "approval"}),
    prepare=_prepare,
    validate=_validate,
    subresource_rules={"approval": _condition_errors, "status": _condition_errors},
    status_writes={"approval": _approval, "status": _status},
    fields={"spec.signerName": lambda request: str(request["spec"].get("signerName") or "")},
    requested_by=_requested_by,
)
