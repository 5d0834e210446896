"""Model values to JSON and back, and their digests. The one place that knows how a value becomes bytes."""

import hashlib
import json
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any, TypeVar

import msgspec
from pydantic import TypeAdapter

from anden.model.ids import Digest

Value = TypeVar("Value")


_adapters: dict[Any, TypeAdapter[Any]] = {}
"""One for each type, made at first use: making one costs milliseconds. Bounded by the number of our types."""


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def to_data(value: Any) -> Any:
    """A model value as JSON-ready data (dicts, lists, strings, numbers)."""
    return _adapter(type(value)).dump_python(value, mode="json")


def to_json(value: Any, *, indent: int | None = None) -> str:
    """A model value as canonical JSON text: keys sorted, so that equal values give equal bytes."""
    return canonical(to_data(value), indent=indent)


def canonical(data: Any, *, indent: int | None = None) -> str:
    """The same of what is JSON-ready data already."""
    separators = None if indent else (",", ":")
    return json.dumps(data, sort_keys=True, indent=indent, separators=separators, ensure_ascii=False)


def from_data(kind: type[Value], data: Any) -> Value:
    """The value of type `kind` that JSON-ready `data` describes. Raises pydantic.ValidationError when it does not."""
    value: Value = _adapter(kind).validate_python(data)
    return value


def from_json(kind: type[Value], text: str | bytes) -> Value:
    """The value of type `kind` in JSON `text`. Raises pydantic.ValidationError when it is not one."""
    value: Value = _adapter(kind).validate_json(text)
    return value


def whole(value: Any) -> str:
    """What `to_json` gives for a value with no fraction in it, several times faster: msgspec writes some fractions
    otherwise than Python's `json` (docs/decisions/0023-json.md), by which digests are. Raises TypeError: no value of
    ours."""
    return _WHOLE.encode(value).decode()


def _said(value: object) -> str | dict[Any, Any]:
    if isinstance(value, (IPv4Address, IPv4Network)):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} is nothing that JSON can hold")


_WHOLE = msgspec.json.Encoder(enc_hook=_said, order="sorted")


def digest(value: Any) -> Digest:
    """The SHA-256 of the value's canonical JSON, as `sha256:…`."""
    return _digest(to_json(value))


def digest_of(members: Mapping[str, str]) -> Digest:
    """The same of an object whose members are canonical JSON already."""
    return _digest("{" + ",".join(f"{canonical(name)}:{members[name]}" for name in sorted(members)) + "}")


def _digest(text: str) -> Digest:
    return Digest("sha256:" + hashlib.sha256(text.encode()).hexdigest())
