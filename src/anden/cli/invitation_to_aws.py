"""An invitation to a link of an environment on AWS: made, and its keys asked for by who joins."""

import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import click

from anden.cli import invitation
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.invitation import WIRE_KEY_BYTES, Invitation, Rehearsal
from anden.model.problem import Problem, Problems
from anden.model.report import LinkConfig, LinkPage
from anden.model.secret import PRE_SHARED_KEY
from anden.planning import link_page
from anden.planning.invitations_to_aws import keys

NO_TIME = 0.0
"""At which no invitation has ended: a page outlives it."""
MOST_CHARACTERS = 1_024
"""Of a line of standard input; a key has 64 at the most."""


def made(agreed: LinkConfig, now: float, for_s: float) -> Invitation:
    """With a key that signs pages, and none of a tunnel."""
    rehearsal = Rehearsal(secrets.token_hex(4), float(int(now + for_s)), "", {}, secrets.token_hex(WIRE_KEY_BYTES))
    key = EnvironmentKey(agreed.client, agreed.environment, EngineName(agreed.engine))
    return Invitation(key, float(int(now)), agreed.agreement, agreed.openings, rehearsal, agreed.admitted)


def with_keys(found: Invitation) -> Invitation:
    """With the tunnels' keys, which somebody types in or standard input says, a line each: in memory only. Raises
    Problems, which repeat no key."""
    names = keys(found.agreement)
    asked = _typed(names) if sys.stdin.isatty() else _piped(names)
    if problems := list(_wrong(names, asked)):
        raise Problems(problems)
    return replace(found, rehearsal=replace(found.rehearsal, keys=asked))


def signed(page: LinkPage, file: Path) -> LinkPage:
    """A page of our side by the key of the invitation in that file, which may have ended. Raises Problems: it is of
    another link, or wrong."""
    found, problems = invitation.read(file, NO_TIME)
    if problems or found is None:
        raise Problems(problems)
    of = (found.key.client, found.key.environment, found.key.engine.value, found.agreement.link)
    if of != (page.client, page.environment, page.engine, page.link):
        what = "it is the invitation to link {3} of {0}/{1} on {2}".format(*of)
        raise Problems(
            Problem(str(file), what, f"the page is of link {page.link}", "Name the file that belongs to it.")
        )
    text = link_page.signed_by(page.text, found.rehearsal.id, found.rehearsal.wire)
    return replace(page, text=text, signed=True)


def _typed(names: tuple[str, ...]) -> dict[str, str]:
    return {name: click.prompt(f"key {name}", hide_input=True, err=True) for name in names}


def _piped(names: tuple[str, ...]) -> dict[str, str]:
    lines = [sys.stdin.buffer.readline(MOST_CHARACTERS) for _ in names]
    return {name: line.decode(errors="replace").rstrip("\r\n") for name, line in zip(names, lines, strict=True)}


def _wrong(names: tuple[str, ...], asked: Mapping[str, str]) -> Iterator[Problem]:
    order = ", ".join(names)
    for name in names:
        if not asked[name]:
            fix = f"Type it in where it is asked for, or pipe one line for each into standard input: {order}."
            yield Problem(f"key {name}", "it is missing", "the tunnel rises by it, and no file has it", fix)
        elif not PRE_SHARED_KEY.fullmatch(asked[name]):
            why = "AWS takes 8 to 64 letters, digits, dots and underscores that begin with no zero"
            yield Problem(f"key {name}", "it is no key of a tunnel", why, f"Give the right one; in order: {order}.")
