"""A client's authority in the system's store of those whom this machine trusts, as `anden trust` puts it there.

Debian's way only: a file of ours in the administrator's folder, and `update-ca-certificates`. What else there is on a
machine (browsers, Java, other distributions) is said, and left to people.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from anden.engines.local import authority, tools
from anden.model.problem import Problem, Problems

UPDATE_S = 60.0
"""One or two are usual."""
FINGERPRINT_LETTERS = 16
"""Of the fingerprint, in the file's name: another authority is another file, or its links would not be made."""
_CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Store:
    """Where the system keeps whom it trusts. options: more for the command, when these folders are others than its."""

    added: Path = Path("/usr/local/share/ca-certificates")
    """Certificates that the administrator added."""
    made: Path = Path("/etc/ssl/certs")
    """What the command makes of them: links, and one file with all."""
    command: str = "update-ca-certificates"
    options: tuple[str, ...] = field(default=())

    @property
    def bundle(self) -> Path:
        """All of them in one file."""
        return self.made / "ca-certificates.crt"


SYSTEM = Store()


@dataclass(frozen=True, slots=True)
class Trust:
    """A client's authority, and whether this machine's store has it. until: Unix seconds. place: the file in the store,
    there or not. others: earlier ones of the client that are there still; their keys are gone, and gateways may show
    certificates of theirs until they are renewed. store: there is one that we know to change.
    """

    client: str
    certificate: str
    fingerprint: str
    names: tuple[str, ...]
    until: float
    key: str
    place: str
    trusted: bool
    others: tuple[str, ...]
    store: bool


def look(state: Path, client: str, store: Store = SYSTEM) -> Trust | None:
    """What is, of the client's present authority; None: it has none. Changes nothing. Raises Problems."""
    its = authority.certificate(at := authority.folder(state, _checked(client)))
    if its is None:
        return None
    mark = its.fingerprint(hashes.SHA256()).hex()
    place = store.added / f"anden-{client}-{mark[:FINGERPRINT_LETTERS]}.crt"
    return Trust(
        client=client,
        certificate=str(at / authority.PUBLIC),
        fingerprint=":".join(re.findall("..", mark.upper())),
        names=authority.names(its),
        until=its.not_valid_after_utc.timestamp(),
        key=str(at / authority.KEPT),
        place=str(place),
        trusted=_pem(its) in _text(store.bundle),
        others=tuple(str(each) for each in _ours(client, store) if each != place),
        store=_known(store),
    )


def install(state: Path, client: str, store: Store = SYSTEM) -> Trust:
    """Have this machine trust the client's authority. Raises Problems: nothing is changed then."""
    found = look(state, client, store)
    if found is None:
        raise Problems(missing(client))
    _may_change(found.certificate, store)
    its = authority.certificate(authority.folder(state, client))
    place, pem = Path(found.place), _pem(its) if its is not None else ""
    before = _text(place)
    try:
        _write(place, pem)
        _update(store)
    except (OSError, Problems) as error:
        if not before:
            place.unlink(missing_ok=True)
        raise _failed(error) from error
    done = look(state, client, store)
    if done is None or not done.trusted:
        what, why = "the authority is not in it", f"`{store.command}` left it out"
        raise Problems(
            Problem(str(store.bundle), what, why, f"Run `{store.command} --verbose`, and look what it says.")
        )
    return done


def remove(client: str, store: Store = SYSTEM) -> tuple[str, ...]:
    """Have this machine trust no authority of the client's any more; the files that were taken out. Also when the
    client has no authority now. Raises Problems."""
    there = tuple(_ours(_checked(client), store))
    if not there:
        return ()
    _may_change(str(there[0]), store)
    try:
        for each in there:
            each.unlink(missing_ok=True)
        _update(store)
    except (OSError, Problems) as error:
        raise _failed(error) from error
    _tidy(store, client)
    return tuple(map(str, there))


def missing(client: str) -> Problem:
    """The client has no authority."""
    what, why = "there is none yet", "it is made when the gateway of an environment with `domain` first gets TLS"
    return Problem(f"authority of {client}", what, why, "Bring such an environment up first: `anden up`.")


def by_hand(certificate: str) -> tuple[str, ...]:
    """What to do where this machine's store is not Debian's."""
    return (
        f"Fedora, RHEL: cp {certificate} /etc/pki/ca-trust/source/anchors/ && update-ca-trust",
        f"Arch: trust anchor {certificate}",
        f"elsewhere: let the program trust {certificate}, as `curl --cacert` does",
    )


def _checked(client: str) -> str:
    """It becomes a part of files' names."""
    if _CLIENT.fullmatch(client) is None:
        raise Problems(Problem(f"client {client!r}", "is no client's name", "letters, digits and dashes are", ""))
    return client


def _known(store: Store) -> bool:
    return tools.found(store.command) is not None and store.added.parent.is_dir() and store.made.is_dir()


def _may_change(certificate: str, store: Store) -> None:
    if not _known(store):
        what, why = "this machine's store is not one that anden changes", f"there is no {store.command} here"
        raise Problems(Problem("anden trust", what, why, f"By hand: {'; '.join(by_hand(certificate))}."))
    if os.geteuid() != 0:
        what = "the system's store cannot be changed"
        raise Problems(Problem("anden trust", what, "it is root's", "Run the same with sudo."))


def _ours(client: str, store: Store) -> Iterator[Path]:
    wanted = re.compile(rf"anden-{re.escape(client)}-[0-9a-f]{{{FINGERPRINT_LETTERS}}}\.crt")
    with suppress(OSError):
        yield from sorted(each for each in store.added.iterdir() if wanted.fullmatch(each.name))


def _update(store: Store) -> None:
    """Raises OSError, Problems."""
    program = tools.found(store.command) or store.command
    try:
        done = subprocess.run(
            [program, *store.options], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=UPDATE_S,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        why = f"it took longer than {UPDATE_S:g} s"
        raise Problems(Problem(store.command, "did not end", why, "Run it by hand.")) from error
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        raise Problems(Problem(store.command, "failed", why, "Run it by hand."))


def _tidy(store: Store, client: str) -> None:
    """Remove the links to what is no more: without a certificate that was added, the command leaves them."""
    wanted = re.compile(rf"anden-{re.escape(client)}-[0-9a-f]{{{FINGERPRINT_LETTERS}}}\.pem")
    links = {each: each.readlink().name for each in store.made.iterdir() if each.is_symlink()}
    gone = {each.name for each in links if wanted.fullmatch(each.name)}
    for each, target in links.items():
        if each.name in gone or target in gone:
            each.unlink(missing_ok=True)


def _failed(error: OSError | Problems) -> Problems:
    if isinstance(error, Problems):
        return error
    why = error.strerror or str(error)
    return Problems(Problem(str(error.filename or "anden trust"), "the system's store cannot be changed", why, ""))


def _pem(its: x509.Certificate) -> str:
    return its.public_bytes(serialization.Encoding.PEM).decode()


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def _write(place: Path, pem: str) -> None:
    place.parent.mkdir(mode=0o755, exist_ok=True)
    new = place.with_suffix(".new")
    new.write_text(pem)
    new.chmod(0o644)
    new.replace(place)
