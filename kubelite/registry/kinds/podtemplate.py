"""PodTemplates: a template kept as an object of its own, for controllers from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.podspec_defaults import default_template
from kubelite.registry.kinds.podspec_validation import template_spec
from kubelite.registry.kinds.podspec_warnings import template_warnings
from kubelite.registry.kinds.workload import container_cells
from kubelite.registry.printing import format_labels


def _default(holder: Obj) -> None:
    template = holder["template"] = holder.get("template") or {}
    default_template(template)


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    return template_spec("template", new["template"])


def _row(holder: Obj, now: datetime) -> list[Any]:
    labels = format_labels(holder["template"]["metadata"].get("labels"))
    return [meta.name(holder), *container_cells(holder), labels]


POD_TEMPLATE = Kind(
    group="",
    version="v1",
    kind="PodTemplate",
    plural="podtemplates",
    singular="podtemplate",
    namespaced=True,
    columns=(
        NAME_COLUMN,
        Column("Containers", description="The names of its containers."),
        Column("Images", description="The images that they run."),
        Column("Pod Labels", description="The labels that its pods would have."),
    ),
    row=_row,
    default=_default,
    validate=_validate,
    counts_generations=True,
    warnings=lambda holder: template_warnings(holder["template"], "template."),
)
