"""Accept headers to answer forms; pure.

kubectl offers `application/json;as=Table;v=v1;g=meta.k8s.io` before plain JSON, typed Go clients offer protobuf before
JSON (and take JSON), metadata clients ask `as=PartialObjectMetadata`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kubelite import errors

As = Literal["object", "Table", "PartialObjectMetadata"]


@dataclass(frozen=True, slots=True)
class Form:
    """How to answer: as which type, in which encoding."""

    type: As = "object"
    yaml: bool = False

    @property
    def content_type(self) -> str:
        return "application/yaml" if self.yaml else "application/json"


_TRANSFORMED = {"Table": "Table", "PartialObjectMetadata": "PartialObjectMetadata"} | {
    "PartialObjectMetadataList": "PartialObjectMetadata"
}


def answer_form(accept: str) -> Form:
    """The first alternative that can be served; 406 when there is none."""
    if not accept.strip():
        return Form()
    for alternative in accept.split(","):
        media, *parameters = [part.strip() for part in alternative.split(";")]
        wanted = dict(part.split("=", 1) for part in parameters if "=" in part)
        if media not in ("application/json", "application/yaml", "*/*", "application/*"):
            continue
        form = wanted.get("as")
        if form is None:
            return Form(yaml=media == "application/yaml")
        if form in _TRANSFORMED and wanted.get("v", "v1") == "v1":
            return Form(_TRANSFORMED[form])  # type: ignore[arg-type]
    raise errors.not_acceptable("only the following media types are accepted: application/json, application/yaml")
