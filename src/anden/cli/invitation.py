"""The file of an invitation: made, written for nobody else to read, read with everything that is wrong with it."""

import os
import secrets
import socket
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from anden.model.ids import EngineName, EnvironmentKey
from anden.model.invitation import PORT, WIRE_KEY_BYTES, Credential, Invitation, Rehearsal, Vouched
from anden.model.problem import Problem, Problems
from anden.model.report import LinkConfig
from anden.model.secret import RANDOM_LENGTH
from anden.planning import invitations, invitations_to_aws, link_page

PRIVATE = 0o600
_LETTERS = string.ascii_letters + string.digits
_FAR = "192.0.2.1", 9
"""Documentation's own: nothing is sent there, only asked which address of this machine would."""


def made(agreed: LinkConfig, meet: str, now: float, for_s: float) -> Invitation:
    """With keys of its own, one for each that the agreement names; where certificates prove both sides with one key,
    whose certificate is still to be issued (`vouched`)."""
    private, public = _pair() if agreed.agreement.certified else ("", "")
    rehearsal = Rehearsal(
        id=secrets.token_hex(4),
        until=float(int(now + for_s)),
        meet=meet,
        keys={name: _key() for name in agreed.keys},
        wire=secrets.token_hex(WIRE_KEY_BYTES),
        public=public,
    )
    key = EnvironmentKey(agreed.client, agreed.environment, EngineName(agreed.engine))
    credential = Credential("", "", private) if private else None
    return Invitation(key, float(int(now)), agreed.agreement, agreed.openings, rehearsal, agreed.admitted, credential)


def vouched(invitation: Invitation, by: Vouched) -> Invitation:
    """With the certificate that was issued for its key."""
    if (own := invitation.credential) is None:
        return invitation
    return replace(invitation, credential=Credential(by.certificate, by.authority, own.key))


def met_at() -> str:
    """Where this machine is met unless it is said: at its address towards everybody else. Raises Problems: it has
    none."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.connect(_FAR)
        return f"{asked.getsockname()[0]}:{PORT}"
    what, why = "where to be met is not clear", "this machine has no way to others"
    raise Problems(
        Problem("--meet", what, why, f"Say it: `--meet HOST:{PORT}`, as the other side reaches this machine.")
    )


@contextmanager
def writing(path: Path, invitation: Invitation) -> Iterator[Callable[[Vouched | None], None]]:
    """The file beside its place, nobody else's from the first moment; what is given puts it there, with the certificate
    that was issued meanwhile. Left without that, nothing was written, and what lay there before lies there still.
    Raises Problems."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_text(invitation))

        def place(by: Vouched | None) -> None:
            if by is not None:
                new.write_text(invitations.text(vouched(invitation, by)), encoding="utf-8")
            new.replace(path)

        yield place
    except OSError as error:
        said = error.strerror or str(error)
        raise Problems(Problem(str(path), "the invitation cannot be written", said, "Name another file.")) from error
    finally:
        new.unlink(missing_ok=True)


def read(path: Path, now: float) -> tuple[Invitation | None, list[Problem]]:
    """The invitation, unless something of it is wrong; and all that is."""
    problems: list[Problem] = []
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            content = file.read(invitations.MOST_BYTES + 1)
    except OSError as error:
        fix = "Name the file that `anden link invite` wrote."
        return None, [Problem(str(path), "it cannot be read", error.strerror or str(error), fix)]
    if mode & 0o077:
        why = f"its mode is {mode:o}, and it holds keys"
        problems.append(Problem(str(path), "others may read it", why, f"chmod 600 {path}"))
    try:
        return _read(content.decode(errors="replace"), path.name, now), problems
    except Problems as found:
        return None, [*problems, *found.problems]


def _text(invitation: Invitation) -> str:
    on_aws = invitation.key.engine is EngineName.AWS
    return invitations_to_aws.text(invitation) if on_aws else invitations.text(invitation)


def _read(content: str, where: str, now: float) -> Invitation:
    said = invitations.parsed(content, where)
    if invitations_to_aws.meant(said):
        return invitations_to_aws.read(said, where, now)
    return invitations.read(content, where, now)


def keep_page(path: Path, text: str) -> None:
    """Raises Problems: it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        said = error.strerror or str(error)
        raise Problems(Problem(str(path), "the page cannot be written", said, "Name another file.")) from error


def page(path: Path) -> str:
    """A page's text. Raises Problems: it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(link_page.MOST_BYTES).decode(errors="replace")
    except OSError as error:
        said = error.strerror or str(error)
        raise Problems(Problem(str(path), "it cannot be read", said, "Name the page.")) from error


def _pair() -> tuple[str, str]:
    """A key's both halves, private and public, as PEM."""
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - most invitations need no cryptography

    from anden.planning import credentials  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    return credentials.written(key), credentials.public(key)


def _key() -> str:
    """A letter first: fit for a tunnel."""
    first = secrets.choice(string.ascii_letters)
    return first + "".join(secrets.choice(_LETTERS) for _ in range(RANDOM_LENGTH - 1))
