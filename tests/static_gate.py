"""The static gate: what both validators say of a template. Errors and warnings fail; what is let pass is written down
in `suppressions.yaml`, with a reason each.

Each finds what the other misses. Both are loaded once in a process: that takes a second or two, a template takes less.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import cloudformation_validate as validate
import yaml
from cfnlint.api import lint
from cfnlint.core import get_rules
from cfnlint.rules import RulesCollection

SUPPRESSIONS = Path(__file__).parent / "suppressions.yaml"
LINTED = ["W", "E"]
"""The rules of cfn-lint that count, by letter: warnings and errors; without the hints (I)."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What a validator found: `F3002 Group Properties.Nonsense: …`. resource: its logical name, or empty."""

    rule: str
    resource: str
    path: str
    text: str
    tool: str
    kind: str = ""
    """The resource's type."""

    def __str__(self) -> str:
        return f"{self.tool} {self.rule} {self.resource} {self.path}: {self.text}"


@dataclass(frozen=True, slots=True)
class Suppression:
    """A rule that is let pass, on resources of this type, at this place. Both may have wildcards."""

    rule: str
    kind: str
    path: str
    reason: str

    def covers(self, found: Finding) -> bool:
        """Whether it is meant."""
        return self.rule == found.rule and fnmatchcase(found.kind, self.kind) and fnmatchcase(found.path, self.path)


@dataclass(frozen=True, slots=True)
class Judged:
    """What stands, and which suppressions were needed."""

    findings: tuple[Finding, ...]
    used: frozenset[Suppression]


def gate(text: str, region: str, suppressions: Collection[Suppression] | None = None) -> Judged:
    """Both validators on one template. suppressions: those of the file, unless others are given."""
    allowed = suppressions_of(SUPPRESSIONS) if suppressions is None else suppressions
    found = [*_validated(text), *_linted(text, region)]
    stand, used = [], set()
    for each in found:
        covering = {one for one in allowed if one.covers(each)}
        used |= covering
        if not covering:
            stand.append(each)
    return Judged(tuple(sorted(set(stand))), frozenset(used))


@cache
def suppressions_of(path: Path) -> tuple[Suppression, ...]:
    """The file's. Raises ValueError for one without a reason."""
    found = []
    for each in yaml.safe_load(path.read_text()) or ():
        one = Suppression(each["rule"], each.get("on", "*"), each.get("at", "*"), str(each.get("because", "")).strip())
        if not one.reason:
            raise ValueError(f"{path.name}: {one.rule} is let pass, and nobody says why")
        found.append(one)
    return tuple(found)


@cache
def _engine() -> validate.CompositeEngine:
    return validate.CompositeEngine()


@cache
def _rules() -> RulesCollection:
    rules: RulesCollection = get_rules([], [], LINTED)
    return rules


def _validated(text: str) -> list[Finding]:
    tool = "cloudformation-validate"
    config = validate.ValidateConfig(severity_level=validate.Severity.WARN)
    report = _engine().validate_template(validate.TemplateContent(text), config)
    kinds = _kinds(text)
    found = []
    if report.status is not validate.ReportStatus.OK:
        found.append(Finding(report.status.name, "", "", "the template was not validated as a whole", tool))
    for each in report.diagnostics:
        name = each.entity.logical_id if each.entity is not None else ""
        path = each.property_path or ""
        found.append(Finding(each.rule_id, name, path, each.message, tool, kinds.get(name, "")))
    return found


def _linted(text: str, region: str) -> list[Finding]:
    kinds = _kinds(text)
    found = []
    for each in lint(text, _rules(), [region]):
        words = [str(word) for word in getattr(each, "path", None) or ()]
        name = words[1] if len(words) > 1 else ""
        found.append(Finding(each.rule.id, name, ".".join(words[2:]), each.message, "cfn-lint", kinds.get(name, "")))
    return found


def _kinds(text: str) -> Mapping[str, str]:
    try:
        template = json.loads(text)
    except ValueError:
        return {}
    resources: Mapping[str, Any] = template.get("Resources", {}) if isinstance(template, dict) else {}
    return {name: str(each.get("Type", "")) for name, each in resources.items()}
