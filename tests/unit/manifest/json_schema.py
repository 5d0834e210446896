"""As much of JSON Schema, draft 2020-12, as the schema of the manifest uses; an unknown keyword fails loudly."""

import re
from typing import Any

TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
ANNOTATIONS = {"$schema", "$defs", "title", "description", "default"}


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind])


def faults(schema: Any, value: Any, definitions: Any, path: str = "") -> list[str]:
    """Why `value` is not what the schema says, as `path: keyword`; empty when it is."""
    found: list[str] = []
    for keyword, argument in schema.items():
        if keyword in ("anyOf", "$ref"):
            found += _combined(keyword, argument, value, definitions, path)
        elif keyword in _OBJECTS:
            found += _object(keyword, argument, schema, value, definitions, path) if isinstance(value, dict) else []
        elif keyword == "items":
            items = enumerate(value) if isinstance(value, list) else ()
            found += [each for index, item in items for each in faults(argument, item, definitions, f"{path}/{index}")]
        elif keyword not in ANNOTATIONS and not _SINGLE[keyword](argument, value):
            found.append(f"{path}: {keyword}")
    return found


_OBJECTS = ("properties", "required", "additionalProperties", "propertyNames", "maxProperties")
_SINGLE: dict[str, Any] = {
    "type": lambda kinds, value: any(_is(kind, value) for kind in (kinds if isinstance(kinds, list) else [kinds])),
    "not": lambda schema, value: bool(faults(schema, value, {})),
    "enum": lambda options, value: any(
        value == each and _is("boolean", value) == _is("boolean", each) for each in options
    ),
    "const": lambda only, value: value == only and not isinstance(value, bool),
    "pattern": lambda pattern, value: not isinstance(value, str) or re.search(pattern, value) is not None,
    "minLength": lambda least, value: not isinstance(value, str) or len(value) >= least,
    "minimum": lambda least, value: not _is("number", value) or value >= least,
    "maximum": lambda most, value: not _is("number", value) or value <= most,
    "exclusiveMaximum": lambda most, value: not _is("number", value) or value < most,
    "minItems": lambda least, value: not isinstance(value, list) or len(value) >= least,
    "maxItems": lambda most, value: not isinstance(value, list) or len(value) <= most,
    "uniqueItems": lambda _, value: not isinstance(value, list) or len({str(item) for item in value}) == len(value),
}


def _combined(keyword: str, argument: Any, value: Any, definitions: Any, path: str) -> list[str]:
    if keyword == "$ref":
        return faults(definitions[argument.removeprefix("#/$defs/")], value, definitions, path)
    options = [faults(each, value, definitions, path) for each in argument]
    if not all(options):
        return []
    return max(options, key=lambda each: max(fault.count("/") for fault in each))  # the one that fits best


def _object(keyword: str, argument: Any, schema: Any, value: Any, definitions: Any, path: str) -> list[str]:
    named = schema.get("properties", {})
    if keyword == "required":
        return [f"{path}/{name}: required" for name in argument if name not in value]
    if keyword == "maxProperties":
        return [] if len(value) <= argument else [f"{path}: {keyword}"]
    if keyword == "additionalProperties" and argument is False:
        return [f"{path}/{name}: unknown" for name in sorted(value.keys() - named.keys())]
    found = []
    for name, each in value.items():
        if keyword == "propertyNames":
            found += faults(argument, name, definitions, f"{path}/{name}")
        elif keyword == "properties" and name in argument:
            found += faults(argument[name], each, definitions, f"{path}/{name}")
        elif keyword == "additionalProperties" and name not in named:
            found += faults(argument, each, definitions, f"{path}/{name}")
    return found
