"""What HAProxy's `show stat` says of servers and frontends, read into values. Pure."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from anden.model.observation import Health
from anden.model.traffic import Passed

_NOT_SERVERS = {"FRONTEND", "BACKEND"}
_TIMEOUTS = {"L4TOUT", "L6TOUT", "L7TOUT"}
_REFUSED = "connection refused"


@dataclass(frozen=True, slots=True)
class ServerStat:
    """One server in one process.

    health: HEALTHY or UNHEALTHY by its last check, UNKNOWN before the first. up: new requests may go to it.
    answer: the last check in words: `HTTP 500`, `connection refused`, `timeout`; empty when there is nothing to say.
    sessions: requests and connections in it now.
    """

    id: str
    service: str
    health: Health
    up: bool
    answer: str
    sessions: int


def parse(text: str) -> tuple[ServerStat, ...]:
    """The servers in the CSV that `show stat` prints. Columns are found by name; what is not understood is left out."""
    return tuple(_server(row) for row in _rows(text) if row.get("svname") and row["svname"] not in _NOT_SERVERS)


def _rows(text: str) -> Iterable[Mapping[str, str | None]]:
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("# pxname,")), None)
    return () if start is None else csv.DictReader([lines[start].removeprefix("# "), *lines[start + 1 :]])


def passed(text: str, frontend: str) -> Passed:
    """What `show stat` says of a frontend: its requests, and those answered with 500 or more."""
    rows = [row for row in _rows(text) if (row.get("pxname"), row.get("svname")) == (frontend, "FRONTEND")]
    return Passed(sum(_number(row.get("req_tot")) for row in rows), sum(_number(row.get("hrsp_5xx")) for row in rows))


def combine(judgements: Iterable[ServerStat]) -> tuple[Health, str]:
    """What the processes say together: healthy when all do, unhealthy when one does, with that one's answer."""
    said = tuple(judgements)
    if said and all(one.health is Health.HEALTHY for one in said):
        return Health.HEALTHY, said[0].answer
    for one in said:
        if one.health is Health.UNHEALTHY:
            return Health.UNHEALTHY, one.answer
    return Health.UNKNOWN, ""


def _server(row: Mapping[str, str | None]) -> ServerStat:
    status = row.get("status") or ""
    check = (row.get("check_status") or "").removeprefix("* ")
    return ServerStat(
        id=row["svname"] or "",
        service=row.get("pxname") or "",
        health=_health(status, check),
        up=status.startswith("UP") or status == "no check",
        answer=_answer(check, row) if _health(status, check) is Health.HEALTHY or not check.endswith("OK") else "",
        sessions=_number(row.get("scur")),
    )


def _health(status: str, check: str) -> Health:
    """A server that is leaving (DRAIN) is judged by its checks. One failed check of three does not make it unhealthy:
    its status stays `UP 2/3`, so status comes first, but an UP that no check has confirmed is not known yet."""
    unchecked = check in {"", "INI", "UNK"}
    if unchecked or status.startswith("MAINT"):
        return Health.UNKNOWN
    if status.startswith("UP") or (status.startswith(("DRAIN", "NOLB")) and check.endswith("OK")):
        return Health.HEALTHY
    return Health.UNHEALTHY


def _answer(check: str, row: Mapping[str, str | None]) -> str:
    code = row.get("check_code") or ""
    said = row.get("last_chk") or row.get("check_desc") or ""
    if check in _TIMEOUTS:
        return "timeout"
    if check == "L4CON":
        return _REFUSED if "refused" in said.lower() or not said else said
    if check.startswith("L7") and code not in {"", "0"}:
        return f"HTTP {code}"
    if check == "L4OK":
        return "connected"
    return "" if check in {"", "INI", "UNK"} else said


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
