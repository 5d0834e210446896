"""The endpoints: what each takes and answers. HTTP serves this table; a caller in the same process reads it too."""

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import anden
from anden.control.access import named
from anden.control.asked import Asked
from anden.control.environment import Control
from anden.model import codec
from anden.model.drill import Drill
from anden.model.ids import EngineName
from anden.model.invitation import Rehearsal
from anden.model.problem import Problem, Problems
from anden.model.secret import SecretValue
from anden.web.api import asks
from anden.web.api.asks import Version

MOST_ARGUMENTS = 1_000
MOST_LOG_LINES = 10_000
MOST_COMMANDS = 1_000
LONGEST_EXEC_S = 3600.0


@dataclass(frozen=True, slots=True)
class Desk:
    """One client's control on one engine, and what is to be said of who runs it."""

    client: str
    engine: EngineName
    control: Control
    code: str = ""
    foreground: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """answer: (desk, body, who) to the value, or to a generator of values (None: a heartbeat) when it streams.

    body: the dataclass in `asks` that describes the request's; None: there is none. says: for /docs.
    """

    method: str
    path: str
    body: type | None
    answer: Callable[[Desk, Any, str], Any]
    says: str
    streams: bool = False


def _asked(desk: Desk, at: asks.At) -> Asked:
    """Raises Problems when it is another client or engine that is asked for."""
    if at.client != desk.client or at.engine != desk.engine:
        raise Problems(
            Problem(
                f"{at.client}, {at.engine}", "is not looked after here",
                f"this is the control plane of {desk.client} on the engine {desk.engine}", "Ask its own.",
            )
        )  # fmt: skip
    return Asked(at.client, at.environment, Path(at.folder), at.manifest, at.file, at.overrides, at.keys)


def _version(desk: Desk, body: None, who: str) -> Version:
    busy = bool(desk.control.busy())
    return Version(anden.__version__, desk.client, os.getpid(), desk.code, busy, desk.foreground)


def _up(desk: Desk, body: asks.Up, who: str) -> Any:
    at, who = _asked(desk, body.at), named(who)
    return desk.control.up(at, who, body.gateway, body.deployed, body.adopt, body.manners, body.plan)


def _deploy(desk: Desk, body: asks.Deploy, who: str) -> Any:
    return desk.control.deploy(_asked(desk, body.at), named(who), body.service, body.image)


def _scale(desk: Desk, body: asks.Scale, who: str) -> Any:
    return desk.control.scale(_asked(desk, body.at), named(who), body.service, body.level)


def _rollback(desk: Desk, body: asks.Just, who: str) -> Any:
    return desk.control.rollback(_asked(desk, body.at), named(who))


def _restart(desk: Desk, body: asks.Restart, who: str) -> Any:
    return desk.control.restart(_asked(desk, body.at), named(who), body.service)


def _put_secret(desk: Desk, body: asks.PutSecret, who: str) -> Any:
    value = None if body.value is None else SecretValue(body.value)
    at, who = _asked(desk, body.at), named(who)
    return desk.control.put_secret(at, who, body.name, value, body.length, body.rotate)


def _remove_secret(desk: Desk, body: asks.RemoveSecret, who: str) -> Any:
    return desk.control.remove_secret(_asked(desk, body.at), named(who), body.name)


def _seal_secrets(desk: Desk, body: asks.SealSecrets, who: str) -> Any:
    return desk.control.seal_secrets(_asked(desk, body.at), named(who), body.by)


def _turn_link(desk: Desk, body: asks.TurnLink, who: str) -> Any:
    return desk.control.turn_link(_asked(desk, body.at), named(who), body.name, body.tunnel, body.up)


def _link_config(desk: Desk, body: asks.ConfigureOther, who: str) -> Any:
    return desk.control.link_config(_asked(desk, body.at), body.name, body.device, body.invites)


def _link_page(desk: Desk, body: asks.NameLink, who: str) -> Any:
    return desk.control.link_page(_asked(desk, body.at), body.name)


def _invite(desk: Desk, body: asks.Invite, who: str) -> Any:
    given = Rehearsal(body.id, body.until, body.meet, body.keys, body.wire, body.public)
    rehearsal = given if body.until else None
    return desk.control.invite(_asked(desk, body.at), named(who), body.name, rehearsal)


def _datacentre(desk: Desk, body: asks.DataCentre, who: str) -> Any:
    return desk.control.datacentre(_asked(desk, body.at), named(who), body.wanted)


def _secrets(desk: Desk, body: asks.Just, who: str) -> Any:
    return desk.control.secrets(_asked(desk, body.at))


def _down(desk: Desk, body: asks.Down, who: str) -> Any:
    return desk.control.down(_asked(desk, body.at), named(who), body.release)


def _plan(desk: Desk, body: asks.Plan, who: str) -> Any:
    return desk.control.plan(_asked(desk, body.at), body.prepare)


def _status(desk: Desk, body: asks.Status, who: str) -> Any:
    return desk.control.status(_asked(desk, body.at), body.drift)


def _reach(desk: Desk, body: asks.Reach, who: str) -> Any:
    return desk.control.reach(_asked(desk, body.at), body.caller, body.callee, body.port, body.live, who)


def _prove_egress(desk: Desk, body: asks.Just, who: str) -> Any:
    return desk.control.prove_egress(_asked(desk, body.at), who)


def _prove_links(desk: Desk, body: asks.Just, who: str) -> Any:
    return desk.control.prove_links(_asked(desk, body.at), who)


def _refused(desk: Desk, body: asks.Refused, who: str) -> Any:
    return desk.control.refused(_asked(desk, body.at), body.since_s)


def _logs(desk: Desk, body: asks.Logs, who: str) -> Any:
    lines = min(max(body.lines, 0), MOST_LOG_LINES)
    return desk.control.logs(_asked(desk, body.at), body.service, lines, body.follow, body.since)


def _exec(desk: Desk, body: asks.Exec, who: str) -> Any:
    if not body.argv or len(body.argv) > MOST_ARGUMENTS:
        raise Problems(Problem("argv", f"{len(body.argv)} words", f"1 to {MOST_ARGUMENTS} are taken", "Say a command."))
    try:
        stdin = base64.b64decode(body.stdin, validate=True)
    except binascii.Error as error:
        raise Problems(Problem("stdin", "not base64", str(error), "Encode it.")) from error
    limit = min(max(body.timeout_s, 0.1), LONGEST_EXEC_S)
    return desk.control.attended(_asked(desk, body.at), named(who), body.instance, body.argv, stdin, limit)


def _disturb(desk: Desk, body: asks.Disturb, who: str) -> Any:
    drill = Drill(body.kind, body.name, body.outage, body.for_s)
    return desk.control.disturb(_asked(desk, body.at), named(who), drill)


def _restore(desk: Desk, body: asks.Just, who: str) -> Any:
    return desk.control.restore(_asked(desk, body.at), named(who))


def _commands(desk: Desk, body: asks.Commands, who: str) -> Any:
    return desk.control.commands(_asked(desk, body.at), min(max(body.most, 1), MOST_COMMANDS))


def _verify(desk: Desk, body: asks.Just, who: str) -> Any:
    _asked(desk, body.at)
    return desk.control.verify()


ENDPOINTS = (
    Endpoint("GET", "/v1/version", None, _version, "Who answers"),
    Endpoint("POST", "/v1/up", asks.Up, _up, "Make what runs be what the manifest says: events", streams=True),
    Endpoint("POST", "/v1/deploy", asks.Deploy, _deploy, "Another image of a service: events", streams=True),
    Endpoint("POST", "/v1/scale", asks.Scale, _scale, "Another level of a service: events", streams=True),
    Endpoint("POST", "/v1/rollback", asks.Just, _rollback, "Back to the previous blueprint: events", streams=True),
    Endpoint("POST", "/v1/restart", asks.Restart, _restart, "The same instances anew: events", streams=True),
    Endpoint("POST", "/v1/down", asks.Down, _down, "End the environment: events", streams=True),
    Endpoint("POST", "/v1/secrets/put", asks.PutSecret, _put_secret, "A new version of a secret: events", streams=True),
    Endpoint("POST", "/v1/secrets/remove", asks.RemoveSecret, _remove_secret, "End a secret: events", streams=True),
    Endpoint("POST", "/v1/secrets/seal", asks.SealSecrets, _seal_secrets, "What seals them: events", streams=True),
    Endpoint("POST", "/v1/secrets", asks.Just, _secrets, "Which secrets there are, without values: a SecretsReport"),
    Endpoint("POST", "/v1/links/turn", asks.TurnLink, _turn_link, "Raise or lower tunnels: events", streams=True),
    Endpoint("POST", "/v1/links/invite", asks.Invite, _invite, "Who may join a link: events", streams=True),
    Endpoint("POST", "/v1/links/page", asks.NameLink, _link_page, "For both network teams: a LinkPage"),
    Endpoint("POST", "/v1/links/config", asks.ConfigureOther, _link_config, "The other side's: a LinkConfig"),
    Endpoint(
        "POST", "/v1/links/datacentre", asks.DataCentre, _datacentre, "The twin's other side: events", streams=True
    ),
    Endpoint("POST", "/v1/plan", asks.Plan, _plan, "What `up` would do: a PlanReport"),
    Endpoint("POST", "/v1/status", asks.Status, _status, "What runs: a StatusReport"),
    Endpoint("POST", "/v1/reach", asks.Reach, _reach, "Who reaches whom: a ReachReport"),
    Endpoint("POST", "/v1/prove-egress", asks.Just, _prove_egress, "Declared against seen: an EgressReport"),
    Endpoint(
        "POST", "/v1/prove-links", asks.Just, _prove_links, "The same behind links, and their tunnels: a LinksReport"
    ),
    Endpoint("POST", "/v1/refused", asks.Refused, _refused, "What services tried in vain: a RefusedReport"),
    Endpoint("POST", "/v1/logs", asks.Logs, _logs, "What instances wrote: log lines", streams=True),
    Endpoint("POST", "/v1/exec", asks.Exec, _exec, "Run a command in an instance: an Exec", streams=True),
    Endpoint("POST", "/v1/disturb", asks.Disturb, _disturb, "Put a fault in on purpose: a Disturbed"),
    Endpoint("POST", "/v1/restore", asks.Just, _restore, "End every fault that a drill has put in"),
    Endpoint("POST", "/v1/commands", asks.Commands, _commands, "The record of commands, newest first"),
    Endpoint("POST", "/v1/verify", asks.Just, _verify, "Whether that record is what was written: an AuditReport"),
)
_BY_NAME = {(each.method, each.path): each for each in ENDPOINTS}


def find(method: str, path: str) -> Endpoint | None:
    """The endpoint of that method and path, if there is one."""
    return _BY_NAME.get((method, path))


def parse(endpoint: Endpoint, data: Mapping[str, Any]) -> Any:
    """The body that JSON data describes. Raises Problems, with every one of its faults."""
    if endpoint.body is None:
        return None
    try:
        return codec.from_data(endpoint.body, dict(data))
    except ValidationError as error:
        # Not `from error`: pydantic's own repeats what was sent, and that may be a secret.
        raise Problems([invalid(each["loc"], each["msg"]) for each in error.errors()]) from None


def invalid(place: tuple[int | str, ...], what: str) -> Problem:
    """A fault of a request's body."""
    where = "/".join(str(part) for part in place if part != "body")
    return Problem(f"the request's {where or 'body'}", what, "", "/docs of `anden serve` says what it takes.")
