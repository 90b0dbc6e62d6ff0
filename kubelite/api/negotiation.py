"""Accept headers to answer forms; pure.

kubectl offers `application/json;as=Table;v=v1;g=meta.k8s.io` before plain JSON, typed Go clients offer protobuf before
JSON (and take JSON), metadata clients ask `as=PartialObjectMetadata`, discovery clients `as=APIGroupDiscoveryList`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kubelite import errors

As = Literal["object", "Table", "PartialObjectMetadata", "APIGroupDiscoveryList"]

_JSON, _YAML = "application/json", "application/yaml"
_SERVED = {_JSON: _JSON, _YAML: _YAML, "*/*": _JSON, "application/*": _JSON}
_META = {"Table": "Table", "PartialObjectMetadata": "PartialObjectMetadata"} | {
    "PartialObjectMetadataList": "PartialObjectMetadata"
}
_DISCOVERY = ("v2", "v2beta1")
_GROUP = "meta.k8s.io"
_META_VERSIONS = ("v1", "v1beta1")
ACCEPTED = "only the following media types are accepted: application/json, application/yaml"


@dataclass(frozen=True, slots=True)
class Form:
    """How to answer: as which type (in which version of it), in which encoding."""

    type: As = "object"
    yaml: bool = False
    version: str = ""

    @property
    def api_version(self) -> str:
        """Of Tables and of metadata alone."""
        return f"{_GROUP}/{self.version or 'v1'}"

    @property
    def content_type(self) -> str:
        return _YAML if self.yaml else _JSON


_PLAIN = Form()


@dataclass(frozen=True, slots=True)
class _Alternative:
    media: str
    parameters: Mapping[str, str]

    @property
    def rank(self) -> tuple[float, int]:
        """Best first: quality, then how specific."""
        try:
            quality = float(self.parameters.get("q", "1"))
        except ValueError:
            quality = 1.0
        return -quality, self.media.count("*")


def _alternatives(accept: str) -> list[_Alternative]:
    found = []
    for text in accept.split(","):
        media, *parameters = [part.strip() for part in text.split(";")]
        found.append(_Alternative(media, dict(part.split("=", 1) for part in parameters if "=" in part)))
    return sorted(found, key=lambda alternative: alternative.rank)


def answer_form(accept: str, *, tables: bool = True) -> Form:
    """The best alternative that can be served to a request for objects; 406 when there is none.

    Streaming lists aren't served as `tables`.
    """
    if not accept.strip() or accept == _JSON:
        return _PLAIN
    for alternative in _alternatives(accept):
        media, wanted = _SERVED.get(alternative.media), alternative.parameters
        if media is None:
            continue
        form = wanted.get("as")
        if form is None:
            return Form(yaml=media == _YAML)
        version = wanted.get("v", "v1")
        if form == "Table" and not tables:
            continue
        if form in _META and version in _META_VERSIONS and wanted.get("g", _GROUP) == _GROUP:
            return Form(_META[form], yaml=media == _YAML, version=version)  # type: ignore[arg-type]
    raise errors.not_acceptable(ACCEPTED)


def discovery_form(accept: str) -> Form:
    """For `/api` and `/apis`: one document with everything when the client knows it, else the old list."""
    for alternative in _alternatives(accept):
        if alternative.media not in _SERVED:
            continue
        form, version = alternative.parameters.get("as"), alternative.parameters.get("v", "")
        if form is None:
            return _PLAIN
        if form == "APIGroupDiscoveryList" and version in _DISCOVERY:
            return Form("APIGroupDiscoveryList", version=version)
    return _PLAIN
