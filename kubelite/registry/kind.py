"""What the registry, the API and discovery need to know of one kind: a single declaration.

Each module of `kubelite.registry.kinds` declares one or a few; `kinds/__init__.py` collects them in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from kubelite.config import Settings
from kubelite.errors import FieldError
from kubelite.objects.meta import Obj
from kubelite.schema import structural_publish
from kubelite.schema.structural import Structural

STANDARD_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the Table form; `priority` 1 shows only with `-o wide`."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


NAME_COLUMN = Column("Name", format="name", description="Name is unique within a namespace.")
AGE_COLUMN = Column("Age", description="Time since the object was created.")
CREATED_COLUMN = Column("Created At", "date", description="When the object was created.")


class Reader(Protocol):
    """What admission may look at: other objects of the cluster (shared: never change what comes back)."""

    settings: Settings

    def find(self, plural: str, namespace: str | None, name: str) -> Obj | None: ...

    def list(self, plural: str, namespace: str | None = None) -> list[Obj]: ...


def _nothing(obj: Obj) -> None:
    """Default and prepare of kinds that have none."""


def _no_preparation(new: Obj, old: Obj | None) -> None:
    """Kinds without fields that only the server may set."""


def _as_it_is(obj: Obj) -> Obj:
    return obj


def _valid(new: Obj, old: Obj | None) -> list[FieldError]:
    return []


def _not_marked(obj: Obj, now: datetime) -> None:
    """Kinds that a deletion marks in no way of their own."""


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a custom resource has what a Scale shows: field names from the root; an empty path is no field."""

    replicas: tuple[str, ...]
    observed: tuple[str, ...]
    selector: tuple[str, ...] = ()


def _admitted(new: Obj, old: Obj | None, reader: Reader) -> None:
    """Kinds whose admission looks at no other object."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object.

    The order of a write is: strict decoding, `default(new)`, `prepare(new, old)`, `admit(new, old, reader)`,
    `validate(new, old)`, store. `default`, `prepare` and `admit` change `new` in place (it is the caller's own copy);
    `old` is None on create and shared otherwise. `default` must be idempotent and also runs on update.
    Generic work is the registry's: metadata, status reset on create and on spec updates, generation, names of objects.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    columns: Sequence[Column] = (NAME_COLUMN, CREATED_COLUMN)
    row: Callable[[Obj, datetime], list[Any]] | None = None  # cells in the order of `columns`; None: name and creation
    short_names: Sequence[str] = ()
    categories: Sequence[str] = ()
    subresources: frozenset[str] = frozenset()  # of: status scale log exec attach portforward binding eviction ...
    default: Callable[[Obj], None] = _nothing
    prepare: Callable[[Obj, Obj | None], None] = _no_preparation
    admit: Callable[[Obj, Obj | None, Reader], None] = _admitted  # may raise StatusError (e.g. Forbidden)
    validate: Callable[[Obj, Obj | None], list[FieldError]] = _valid  # also metadata that the kind restricts
    # Rules of updates through a subresource, in the place of `validate`.
    subresource_rules: Mapping[str, Callable[[Obj, Obj], list[FieldError]]] = field(default_factory=dict)
    name_rule: str = "subdomain"  # object names: subdomain | label | service (RFC 1035 label) | path
    fields: Mapping[str, Callable[[Obj], str]] = field(default_factory=dict)  # selectable beside metadata.*
    initial_status: Callable[[Obj], Obj | None] = lambda obj: None  # status of a new object
    verbs: Sequence[str] = STANDARD_VERBS
    untold_verbs: Sequence[str] = ()  # done too, though discovery doesn't say so
    grace: Callable[[Obj], int] | None = None  # default grace seconds on delete; None: removed at once
    status_metadata: Sequence[str] = ("labels", "annotations")  # what a write of the status may change of the metadata
    counts_generations: bool | None = None  # has metadata.generation; None: in a named group with a status apart
    orphans_by_default: bool = False  # a DELETE that says nothing of dependents leaves them behind
    returns_deleted: bool = False  # DELETE answers with the object that is gone, not with a Status
    create_on_update: bool = False  # PUT of a missing object creates it
    unconditional_update: bool = True  # PUT may leave out the resourceVersion
    stored_as: Kind | None = None  # the kind whose objects this one shows in another form (events)
    of_version: Callable[[Obj, Obj | None], list[FieldError]] = _valid  # rules that only this form of them has
    encode: Callable[[Obj], Obj] = _as_it_is  # stored form -> this kind's
    decode: Callable[[Obj], Obj] = _as_it_is
    warnings: Callable[[Obj], list[str]] | None = None  # texts of Warning headers on create and update
    deleting: Callable[[Obj, datetime], None] = _not_marked  # what the first deletion adds to the mark (a copy)
    # What a write through a subresource makes of the status: (what it asks for, what there is, now).
    status_writes: Mapping[str, Callable[[Obj, Obj, datetime], Obj]] = field(default_factory=dict)
    requested_by: Callable[[Obj, Mapping[str, Any]], None] | None = None  # notes the UserInfo of who creates it
    deprecation: str = ""  # the text of a Warning header on every answer about the kind
    list_kind: str = ""  # when lists aren't called `<kind>List`
    structural: Structural | None = None  # the schema of a custom resource
    scale: ScalePaths | None = None  # of a custom resource with that subresource
    # Of a custom resource whose versions a webhook converts: Pending unless `encode` can do all of these objects.
    require: Callable[[Iterable[Obj]], None] | None = None

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def definitions(self) -> Mapping[str, dict[str, Any]]:
        """The OpenAPI definitions that a custom resource brings: its own and that of its lists."""
        if self.structural is None:
            return {}
        return structural_publish.definitions(
            self.group, self.version, self.kind, self.list_kind, self.structural.schema
        )

    @property
    def shown_as_stored(self) -> bool:
        """Stored bytes are an answer as they are."""
        return self.encode is _as_it_is

    @property
    def resource(self) -> str:
        """The key of the kind's objects in the store, the same for every version and alias of it."""
        return self.storage.qualified_name

    @property
    def storage(self) -> Kind:
        """The kind that writes and validates this one's objects."""
        return self.stored_as or self

    @property
    def qualified_name(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural
