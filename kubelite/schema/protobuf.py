"""Decodes request bodies in Kubernetes' protobuf into objects in JSON shape. Called by the HTTP edge.

kubectl from 1.32 on and Go clients send them (`application/vnd.kubernetes.protobuf`): the bytes `k8s\\0`, then a
`runtime.Unknown` that holds apiVersion, kind and the object's own message. Field numbers come from `data/wire.txt`,
types from the schema. Go writes fields that aren't pointers also when they are unset, so their zeros are dropped.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from kubelite import errors
from kubelite.objects.meta import format_micro_time, format_time
from kubelite.schema.model import Definition, Type, WireField, definition_for, wire_messages

Obj = dict[str, Any]

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_SCALARS = {"string", "boolean", "int32", "int64", "number", "bytes"}
_SIGN_BIT = 1 << 63


def decode(body: bytes) -> Obj:
    """The object of a body; raises 400 for a malformed one and 415 for a kind without a table."""
    if not body.startswith(_MAGIC):
        raise errors.bad_request("provided data does not appear to be a protobuf message")
    try:
        envelope = dict(_fields(body[len(_MAGIC) :]))
        type_meta = {number: raw.decode() for number, raw in _fields(envelope.get(1, b""))}
        return _decode_kind(type_meta.get(1, ""), type_meta.get(2, ""), envelope.get(2, b""))
    except (IndexError, ValueError, AttributeError, TypeError, struct.error) as fault:
        raise errors.bad_request(f"the body is not a valid protobuf message: {fault}") from None


def _decode_kind(api_version: str, kind: str, raw: bytes) -> Obj:
    group, _, version = api_version.rpartition("/")
    definition = definition_for(group, version, kind)
    if definition is None or definition.name not in wire_messages():
        raise errors.unsupported_media_type(["application/json", "application/yaml"])
    return {"apiVersion": api_version, "kind": kind} | _message(raw, definition)


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The wire format: (field number, integer or bytes)."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        match tag & 7:
            case 0:
                value, position = _varint(data, position)
                yield tag >> 3, value
            case 1:
                yield tag >> 3, data[position : position + 8]
                position += 8
            case 2:
                length, position = _varint(data, position)
                if position + length > len(data):
                    raise ValueError("unexpected EOF")
                yield tag >> 3, data[position : position + length]
                position += length
            case other:
                raise ValueError(f"wire type {other}")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _message(data: bytes, definition: Definition) -> Obj:
    found: Obj = {}
    _read_fields(data, definition, definition.name, found)
    return found


def _read_fields(data: bytes, definition: Definition, message: str, into: Obj) -> None:
    table = wire_messages()[message]
    for number, raw in _fields(data):
        wire = table.get(number)
        if wire is None:
            continue
        if wire.message:
            _read_fields(raw, definition, wire.message, into)
        elif special := _SPECIAL.get((definition.kind, wire.name)):
            into[wire.name] = special(raw, definition)
        elif field := definition.fields.get(wire.name):
            _read_field(raw, wire, field.type, field.keeps_zero, into)


def _read_field(raw: Any, wire: WireField, of: Type, keeps_zero: bool, into: Obj) -> None:
    if of.item is not None and of.form == "list":
        into.setdefault(wire.name, []).extend(_items(raw, of.item))
    elif of.item is not None and of.form == "map":
        key, value = _entry(raw, of.item)
        into.setdefault(wire.name, {})[key] = value
    else:
        value = _value(raw, of)
        unset = not value and ((of.form in _SCALARS and not keeps_zero) or wire.by_value)
        if value is not None and not unset:
            into[wire.name] = value


def _schema_or_bool(raw: bytes, schema: Definition) -> Any:
    inner = next((value for number, value in _fields(raw) if number == 2), None)
    return _message(inner, schema) if inner is not None else bool(dict(_fields(raw)).get(1))


def _schema_or_schemas(raw: bytes, schema: Definition) -> Any:
    single = next((value for number, value in _fields(raw) if number == 1), None)
    return _message(single, schema) if single is not None else [_message(value, schema) for _, value in _fields(raw)]


def _empty(raw: bytes, definition: Definition) -> Obj:
    return {}


# Fields whose type the schema doesn't tell: by the type that they are in.
_SPECIAL: dict[tuple[str, str], Callable[[bytes, Definition], Any]] = {
    ("JSONSchemaProps", "items"): _schema_or_schemas,
    ("JSONSchemaProps", "additionalItems"): _schema_or_bool,
    ("JSONSchemaProps", "additionalProperties"): _schema_or_bool,
    ("CustomResourceSubresources", "status"): _empty,
}


def _items(raw: Any, item: Type) -> list[Any]:
    """One element of a repeated field, or several integers packed together."""
    if item.form in ("int32", "int64") and isinstance(raw, bytes):
        values, position = [], 0
        while position < len(raw):
            value, position = _varint(raw, position)
            values.append(_signed(value))
        return values
    return [_value(raw, item)]


def _entry(raw: bytes, item: Type) -> tuple[str, Any]:
    parts = dict(_fields(raw))
    key = parts.get(1, b"").decode()
    if item.form == "list" and item.item is not None:  # a list in a map is a message around a repeated field 1
        return key, [_value(entry, item.item) for _, entry in _fields(parts.get(2, b""))]
    return key, _value(parts.get(2, 0 if item.form in ("int32", "int64", "boolean") else b""), item)


def _value(raw: Any, of: Type) -> Any:
    match of.form:
        case "string":
            return raw.decode()
        case "boolean":
            return bool(raw)
        case "int32" | "int64":
            return _signed(raw)
        case "number":
            return struct.unpack("<d", raw)[0]
        case "bytes":
            return base64.b64encode(raw).decode()
        case "quantity":
            return dict(_fields(raw)).get(1, b"0").decode() or "0"
        case "int-or-string":
            parts = dict(_fields(raw))
            return parts.get(3, b"").decode() if parts.get(1) else _signed(parts.get(2, 0))
        case "time" | "micro-time":
            return _time(raw, micro=of.form == "micro-time")
        case "any":
            return _raw_json(raw)
        case _:
            assert of.definition is not None
            return _message(raw, of.definition)


def _signed(value: int) -> int:
    return value - (1 << 64) if value & _SIGN_BIT else value


def _time(raw: bytes, micro: bool) -> str | None:
    if not raw:
        return None
    parts = dict(_fields(raw))
    moment = datetime.fromtimestamp(_signed(parts.get(1, 0)), UTC)
    moment = moment.replace(microsecond=parts.get(2, 0) // 1000)
    return format_micro_time(moment) if micro else format_time(moment)


def _raw_json(raw: bytes) -> Any:
    """RawExtension, FieldsV1: JSON, or an object in protobuf, in field 1."""
    content = dict(_fields(raw)).get(1)
    if not content:
        return None
    return decode(content) if content.startswith(_MAGIC) else msgspec.json.decode(content)
