"""Model values to JSON and back, and their digests. The one place that knows how a value becomes bytes."""

import hashlib
import json
from typing import Any, TypeVar

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
    return _canonical(to_data(value), indent)


def _canonical(data: Any, indent: int | None = None) -> str:
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


def digest(value: Any) -> Digest:
    """The SHA-256 of the value's canonical JSON, as `sha256:…`."""
    return digest_of_data(to_data(value))


def digest_of_data(data: Any) -> Digest:
    """The same of what is JSON-ready data already."""
    return Digest("sha256:" + hashlib.sha256(_canonical(data).encode()).hexdigest())
