"""Data that ships with anden: AWS's list prices and documented quotas, each figure with its page. Read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Figure:
    """What a price is for: its unit, and the page that it is from."""

    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class Prices:
    """The table of prices. regions: region to figure to price; a missing one is not known."""

    date: date
    currency: str
    figures: Mapping[str, Figure]
    regions: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit of AWS.

    name: as people know it. default: as documented. raisable: whether AWS raises it on request. service, code: what
    Service Quotas knows it by; empty: it does not, or the code is not certain. source: the page that documents it.
    scope: what it is counted for: `region`, `account`, or one `stack`, `zone`, `balancer`, ….
    """

    key: str
    name: str
    default: float
    raisable: bool
    source: str
    scope: str
    service: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Quotas:
    """The table of quotas. zones: how many a region offers to everybody, for when an account cannot be asked."""

    date: date
    quotas: Mapping[str, Quota]
    zones: Mapping[str, int]
    zones_source: str


@cache
def prices() -> Prices:
    """AWS's list prices."""
    read = _read("prices.yaml")
    sources = read["sources"]
    return Prices(
        read["date"], read["currency"],
        {key: Figure(each["unit"], sources[each["source"]]) for key, each in read["figures"].items()}, read["regions"],
    )  # fmt: skip


@cache
def quotas() -> Quotas:
    """AWS's documented quotas."""
    read = _read("quotas.yaml")
    sources = read["sources"]
    found = {}
    for key, each in read["quotas"].items():
        service, _, code = each.get("code", "").partition("/")
        found[key] = Quota(
            key, each["name"], float(each["default"]), each["raisable"], sources[each["source"]], each["scope"],
            service, code,
        )  # fmt: skip
    return Quotas(read["date"], found, read["zones"], sources["zones"])


def _read(name: str) -> Any:
    text = resources.files("anden.engines.aws").joinpath(name).read_text("utf-8")
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
