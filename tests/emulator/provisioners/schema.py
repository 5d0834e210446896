"""Whether a resource's properties are what AWS's public resource schema allows. Part of the emulator's process.

The schemas are those that cfn-lint carries: one JSON file for each type, named by a file for each region. What is
checked: required and unknown properties, types, enumerations, patterns, lengths, ranges, and one-of. Scalars may come
as text (`"443"`, `"true"`), as they do from template parameters: CloudFormation converts them too.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

REGION = "us-east-1"
MOST_SAID = 3
"""Faults that one message names."""
_OWN_TAGS = "aws:cloudformation:"
"""Tags that the emulator puts into the properties itself."""


class Schemas:
    """All types of one region."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, str] = json.loads((folder / "providers" / f"{REGION}.json").read_text())

    def __contains__(self, kind: str) -> bool:
        return kind in self._files

    @lru_cache(maxsize=512)  # noqa: B019 - one object for the life of the process
    def of(self, kind: str) -> Mapping[str, Any]:
        """Raises KeyError: no such type."""
        found: Mapping[str, Any] = json.loads((self._folder / "resources" / f"{self._files[kind]}.json").read_text())
        return found

    def refuse(self, kind: str, logical: str, properties: Mapping[str, Any]) -> None:
        """Raises ValueError in CloudFormation's words when the properties are not what the schema allows."""
        if kind not in self:
            raise ValueError(f"Template format error: Unrecognized resource types: [{kind}]")
        schema = self.of(kind)
        given = {key: _theirs(value) if key == "Tags" else value for key, value in properties.items()}
        given = {key: value for key, value in given.items() if not (key == "Tags" and _only_own(value))}
        faults = list(_faults(given, {**schema, "type": "object"}, schema, "#"))
        faults += [f"#/{name}: is read-only" for name in sorted(given.keys() & set(only_read(schema)))]
        if faults:
            more = f" (and {len(faults) - MOST_SAID} more)" if len(faults) > MOST_SAID else ""
            said = ", ".join(faults[:MOST_SAID]) + more
            raise ValueError(f"Properties validation failed for resource {logical} with message: {said}")


def only_read(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of properties at the top that only AWS sets."""
    settable = set(schema.get("required", ()))
    names = [each.removeprefix("/properties/") for each in schema.get("readOnlyProperties", ())]
    return tuple(name for name in names if "/" not in name and name not in settable)


def replacing(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of properties at the top whose change makes a new resource."""
    names = (each.removeprefix("/properties/").split("/")[0] for each in schema.get("createOnlyProperties", ()))
    return tuple(dict.fromkeys(names))


def _theirs(tags: Any) -> Any:
    """Without those that CloudFormation itself adds: AWS does not hold them to the schema's patterns."""
    if isinstance(tags, dict):
        return {key: value for key, value in tags.items() if not key.startswith(_OWN_TAGS)}
    if isinstance(tags, list) and all(isinstance(each, dict) for each in tags):
        return [each for each in tags if not str(each.get("Key", "")).startswith(_OWN_TAGS)]
    return tags


def _only_own(tags: Any) -> bool:
    keys = tags if isinstance(tags, dict) else [each.get("Key", "") for each in tags if isinstance(each, dict)]
    return all(str(key).startswith(_OWN_TAGS) for key in keys)


def _faults(value: Any, rule: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    if rule is True or not isinstance(rule, Mapping):
        return
    if "$ref" in rule:
        yield from _faults(value, _pointed(schema, rule["$ref"]), schema, at)
        return
    kinds = rule.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"{at}: expected type: {' or '.join(kinds).capitalize()}, found: {type(value).__name__}"
        return
    yield from _scalar(value, rule, at)
    if isinstance(value, Mapping):
        yield from _object(value, rule, schema, at)
    if isinstance(value, list):
        yield from _list(value, rule, schema, at)
    for name, enough in (("oneOf", 1), ("anyOf", 1), ("allOf", len(rule.get("allOf", ())))):
        if name in rule:
            fitting = sum(not list(_faults(value, {**_typed(rule), **each}, schema, at)) for each in rule[name])
            if fitting < enough:
                yield f"{at}: fits {fitting} of the {len(rule[name])} forms allowed ({name})"


def _typed(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a form of one-of needs to see of the rule around it: its properties, not its own forms."""
    return {key: rule[key] for key in ("properties", "patternProperties", "additionalProperties") if key in rule}


def _scalar(value: Any, rule: Mapping[str, Any], at: str) -> Iterator[str]:
    if "enum" in rule and str(value) not in {str(each) for each in rule["enum"]}:
        yield f"{at}: {value} is not a valid enum value"
    if "enumCaseInsensitive" in rule and str(value).lower() not in {
        str(e).lower() for e in rule["enumCaseInsensitive"]
    }:
        yield f"{at}: {value} is not a valid enum value"
    if isinstance(value, str):
        if not rule.get("minLength", 0) <= len(value) <= rule.get("maxLength", len(value)):
            yield f"{at}: a length of {len(value)} is not allowed"
        if "pattern" in rule and not _matches(rule["pattern"], value):
            yield f"{at}: {value} does not match {rule['pattern']}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if "minimum" in rule and value < rule["minimum"]:
            yield f"{at}: {value} is not greater or equal to {rule['minimum']}"
        if "maximum" in rule and value > rule["maximum"]:
            yield f"{at}: {value} is not less or equal to {rule['maximum']}"


def _object(value: Mapping[str, Any], rule: Mapping[str, Any], schema: Mapping[str, Any], at: str) -> Iterator[str]:
    for name in rule.get("required", ()):
        if name not in value:
            yield f"{at}: required key [{name}] not found"
    for group in rule.get("requiredXor", ()) and [rule["requiredXor"]]:
        if sum(name in value for name in group) != 1:
            yield f"{at}: exactly one of [{', '.join(group)}] is required"
    for name, needed in rule.get("dependentRequired", {}).items():
        if name in value:
            yield from (f"{at}: {name} needs [{each}]" for each in needed if each not in value)
    known, patterns = rule.get("properties", {}), rule.get("patternProperties", {})
    for name, each in value.items():
        if name in known:
            yield from _faults(each, known[name], schema, f"{at}/{name}")
            continue
        fitting = [under for pattern, under in patterns.items() if _matches(pattern, name)]
        if fitting:
            yield from _faults(each, fitting[0], schema, f"{at}/{name}")
        elif rule.get("additionalProperties") is False and (known or patterns):
            yield f"{at}: extraneous key [{name}] is not permitted"


def _list(value: list[Any], rule: Mapping[str, Any], schema: Mapping[str, Any], at: str) -> Iterator[str]:
    if not rule.get("minItems", 0) <= len(value) <= rule.get("maxItems", len(value)):
        yield f"{at}: {len(value)} items are not allowed"
    if rule.get("uniqueItems") and len({json.dumps(each, sort_keys=True) for each in value}) < len(value):
        yield f"{at}: array items are not unique"
    for number, each in enumerate(value):
        yield from _faults(each, rule.get("items", True), schema, f"{at}/{number}")


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "object":
            return isinstance(value, Mapping)
        case "array":
            return isinstance(value, list)
        case "string":
            return isinstance(value, (str, int, float, bool))
        case "boolean":
            return isinstance(value, bool) or str(value) in ("true", "false")
        case "integer" | "number":
            return (isinstance(value, (int, float)) and not isinstance(value, bool)) or _number(value)
    return True


def _number(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value) is not None


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:  # a pattern in another dialect than Python's
        return True


def _pointed(schema: Mapping[str, Any], reference: str) -> Any:
    found: Any = schema
    for word in reference.removeprefix("#/").split("/"):
        found = found[word.replace("~1", "/").replace("~0", "~")]
    return found
