"""The figures of the manners, and the page that shows them."""

import re
from dataclasses import asdict, fields
from pathlib import Path

import pytest
from tests.contract import test_manners as contract
from tests.unit.planning.topologies import drafted, service, topology

from anden.model import codec
from anden.model.configuration import Configuration
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.instance import Instance
from anden.model.manners import AWS, BY_NAME, SOURCES, TWIN, Manners, label
from anden.model.ports import Target
from anden.model.topology import Range
from anden.planning.configuration import configure
from anden.planning.instances import specification

PAGE = (Path(__file__).parents[3] / "docs" / "parity.md").read_text()
FIGURES = {
    "retries": ("3", "0"),
    "idle_s": ("60", "60"),
    "answer_s": ("the service's `timeout`", "60"),
    "nat_idle_s": ("for ever", "350"),
    "header_bytes": ("what the buffer holds", "16384"),
    "drain_s": ("the service's `timeout`", "300"),
    "stop_limit_s": ("the service's `stop`", "120"),
    "fails_open": ("no", "yes"),
    "launch_s": ("0", "30 to 60"),
    "name_addresses": ("1", "2"),
    "name_ttl_s": ("10", "60"),
}
"""Written out, so that neither page nor constants can move alone."""
UNLIMITED = {"answer_s", "nat_idle_s", "header_bytes", "drain_s", "stop_limit_s"}
"""Fields in which None has words of its own."""


def rows() -> dict[str, list[str]]:
    """Field of Manners to the other cells of its row."""
    found = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and re.fullmatch(r"`\w+`", cells[1]):
            found[cells[1].strip("`")] = cells
    return found


def said(name: str, value: object) -> str | None:
    """A figure in the page's words; None where words stand for it."""
    if name in UNLIMITED and value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        least, most = value
        return f"{least:g}" if least == most else f"{least:g} to {most:g}"
    return str(int(value)) if isinstance(value, int | float) else str(value)


NAMES = [each.name for each in fields(Manners) if each.name != "name"]


@pytest.mark.parametrize("name", NAMES)
def test_page_and_constants_agree(name: str) -> None:
    _, _, twin, aws, source, _ = rows()[name]
    assert (twin, aws) == FIGURES[name]
    for manners, shown in ((TWIN, twin), (AWS, aws)):
        figure = said(name, asdict(manners)[name])
        assert figure is None or figure == shown
    assert source == SOURCES[name]


def test_every_figure_has_a_row_a_source_and_a_case_and_there_are_no_others() -> None:
    assert set(rows()) == set(SOURCES) == set(FIGURES) == set(NAMES)


def test_every_case_that_the_page_names_is_there() -> None:
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert len(named) == len(NAMES) + 3
    assert [name for name in named if not callable(getattr(contract, name, None))] == []


def test_the_page_says_what_is_not_there() -> None:
    assert "1446 bytes through a tunnel" in PAGE


def test_they_are_found_by_name_and_said_when_they_are_not_the_twins() -> None:
    assert {name: BY_NAME[name] for name in ("twin", "aws")} == dict(BY_NAME)
    key = EnvironmentKey("banco", "dev", EngineName.LOCAL)
    assert label(key, "twin") == "banco/dev, twin"
    assert label(key, "aws") == "banco/dev, twin as aws"


def test_launches_are_spread_over_the_range_and_the_same_each_time() -> None:
    blueprint = drafted(topology(service("web", instances=Range(1, 40))))
    web: list[Instance] = [specification(blueprint, "web", slot) for slot in blueprint.placement("web").slots]
    delays = [AWS.launch_delay_s(one) for one in web]
    assert delays == [AWS.launch_delay_s(one) for one in web]
    assert all(30 <= delay <= 60 for delay in delays)
    assert min(delays) < 36
    assert max(delays) > 54
    assert {TWIN.launch_delay_s(one) for one in web} == {0.0}


def test_what_was_written_before_there_were_manners_has_the_twins() -> None:
    key = EnvironmentKey("banco", "dev", EngineName.LOCAL)
    target = codec.to_data(Target(key, None, "", "", {}, {}, {}, manners="aws"))
    del target["manners"]
    assert codec.from_data(Target, target).manners == TWIN.name
    configuration = codec.to_data(configure(drafted(topology(service("web"))), None, (), manners=AWS))
    assert codec.from_data(Configuration, configuration).manners == AWS
    del configuration["manners"]
    assert codec.from_data(Configuration, configuration).manners == TWIN
