"""`anden secret`."""

import sys
from typing import Any

import click

from anden import app
from anden.cli import place, standing, stream, terminal
from anden.cli.options import PLACE, Said, Words, common
from anden.cli.render import events, words
from anden.cli.render import secrets as render
from anden.model import codec
from anden.model.command import Outcome
from anden.model.problem import Problem, Problems
from anden.model.report import SecretsReport
from anden.model.secret import LEAST_RANDOM, MOST_BYTES, MOST_RANDOM, RANDOM_LENGTH

_random = click.option(
    "--random",
    "length",
    type=click.IntRange(LEAST_RANDOM, MOST_RANDOM),
    is_flag=False,
    flag_value=RANDOM_LENGTH,
    help=f"Make one up, of so many letters and digits; {RANDOM_LENGTH} when no number is given. Nobody sees it.",
)
_exact = click.option("--exact", is_flag=True, help="Keep the newline at the end of what stdin says.")
_extra = click.argument("extra", nargs=-1, type=click.UNPROCESSED)


@click.group("secret")
def command() -> None:
    """Secrets of an environment, by name. Values come from stdin or a prompt, and are never shown again."""


@command.command("set")
@click.argument("name")
@_extra
@_random
@_exact
@common(*PLACE)
@click.pass_obj
def put(obj: Words, name: str, extra: tuple[str, ...], length: int | None, exact: bool) -> int:
    """Keep a value under NAME, as a new version. What runs keeps the version that it has until `anden up`."""
    return _put(obj.said, name, extra, length, exact, rotate=False)


@command.command("rotate")
@click.argument("name")
@_extra
@_random
@_exact
@common(*PLACE)
@click.pass_obj
def rotate(obj: Words, name: str, extra: tuple[str, ...], length: int | None, exact: bool) -> int:
    """Put a new version in NAME's place, and replace what uses it, rolling; nothing else is restarted."""
    return _put(obj.said, name, extra, length, exact, rotate=True)


@command.command("remove")
@click.argument("name")
@common(*PLACE)
@click.pass_obj
def remove(obj: Words, name: str) -> int:
    """Let go of NAME and all of its versions. Refused while what runs uses it."""
    return _told(obj.said, "/v1/secrets/remove", {"name": name}, f"anden secret remove {name}")


@command.command("seal")
@click.option("--kms", "by", metavar="ARN", help="By this key of AWS KMS, with the credentials of the control plane.")
@click.option("--file", "file", is_flag=True, help="By nothing: the key lies in its file, for its owner only.")
@common(*PLACE)
@click.pass_obj
def seal(obj: Words, by: str | None, file: bool) -> int:
    """Choose what seals the key of all of the client's secrets on the twin. The secrets stay as they are."""
    if (by is None) is not file:
        raise click.UsageError("Say --kms ARN, or --file.")
    return _told(obj.said, "/v1/secrets/seal", {"by": by}, "anden secret seal")


@command.command("list")
@common(*PLACE)
@click.pass_obj
def listing(obj: Words) -> int:
    """Which there are and which are missing, since when, by whom, and who uses them. Exit 1 when one is missing."""
    here = place.running(obj.said)
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        terminal.note(api.note)
        report = codec.from_data(SecretsReport, api.request("POST", "/v1/secrets", {"at": here.at()}))
        now = api.now()
    if obj.said.json:
        terminal.as_json(codec.to_data(report))
    else:
        terminal.data(render.lines(report, now, terminal.paint_for(terminal.stdout())))
    return 0 if all(each.version for each in report.secrets) else 1


def _put(said: Said, name: str, extra: tuple[str, ...], length: int | None, exact: bool, *, rotate: bool) -> int:
    word = "rotate" if rotate else "set"
    if extra:  # never repeated: it may be the value
        what, why = "a value stands on the command line", "`ps` shows it to everybody, and the shell remembers it"
        fix = f"Pipe it into `anden secret {word} NAME`, or let that ask. If it was a real one, replace it."
        raise Problems(Problem(f"secret {word}", what, why, fix))
    body: dict[str, Any] = {"name": name, "rotate": rotate}
    body |= {"value": None, "length": length} if length is not None else {"value": _value(name, exact)}
    return _told(said, "/v1/secrets/put", body, f"anden secret {word} {name}")


def _value(name: str, exact: bool) -> str:
    """From a prompt that shows nothing, or all of stdin but a newline at its end. Raises Problems."""
    if sys.stdin.isatty():
        text: str = click.prompt(f"value of {name}", hide_input=True, confirmation_prompt="again", err=True)
        return text
    data = sys.stdin.buffer.read(MOST_BYTES + 3)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        why = "variables, files and Secrets Manager take text"
        raise Problems(
            Problem(f"secret {name}", "its value is not text in UTF-8", why, "Encode it, for example in base64.")
        ) from None
    return text if exact else text.removesuffix("\n").removesuffix("\r")


def _told(said: Said, path: str, body: dict[str, Any], again: str) -> int:
    here = place.running(said)
    columns = events.columns_for(here.services)
    with app.connect(here.client, here.engine, start=True) as api:
        terminal.note(api.note)
        try:
            ended = stream.follow(api.stream("POST", path, {"at": here.at(), **body}), columns)
        except stream.Cancelled:
            return standing.cancelled(api, here, again)
    if ended.outcome is Outcome.DONE and not said.json:
        terminal.data([f"Done in {words.seconds(ended.took_s)}"])
    return stream.finish(ended, said)
