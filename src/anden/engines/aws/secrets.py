"""Secrets by name and version in Secrets Manager of the client's account, sealed with the environment's own key.

See model.ports.Secrets. A version's id is ours (`v2-5f0c…`): it is the token that Secrets Manager takes as the id, so
that a call that is tried again makes no second version. A version without a staging label may go at any time: each
of ours has one, which says besides when it was put there and by whom (`v2/1764209762/ana`). A value goes there and
never comes back: tasks and tunnels fetch it themselves.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws import execute
from anden.engines.aws.errors import code, explained
from anden.engines.aws.execute import Work
from anden.engines.aws.preview import CLIENT, ENVIRONMENT
from anden.engines.aws.render import naming
from anden.engines.aws.render.stacks import key_stack
from anden.model import codec
from anden.model.event import Event, EventKind
from anden.model.ids import EnvironmentKey
from anden.model.plan import Action, ApplyStack, Receipt, Step
from anden.model.problem import Problem, Problems
from anden.model.secret import KEPT_VERSIONS, Secret, SecretValue, SecretVersion, number, version_id
from anden.model.stack import StackWanted
from anden.model.topology import Topology

ID_BYTES = 16
"""Random ones of a version's id. With `v1-` they are 35 characters: a token has 32 to 64 (Secrets Manager API,
"PutSecretValue")."""
MOST_LABEL = 256
"""Characters of a staging label (Secrets Manager API, "UpdateSecretVersionStage")."""
RECOVERY_DAYS = 30
"""From a secret's removal to its end, the longest there is (Secrets Manager API, "DeleteSecret": 7 to 30)."""
AT_ONCE = 8
"""Secrets that are asked about at the same time."""
CURRENT, PENDING = "AWSCURRENT", "AWSPENDING"
NOT_THERE = "ResourceNotFoundException"
_LABEL = re.compile(r"v[0-9]+/([0-9]+)/(.*)")
_UNFIT = re.compile(r"[^A-Za-z0-9._@+=-]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an environment's secrets are: by what its stacks are made, its region, and what it is meant to be; None:
    nobody has said."""

    work: Work
    region: str
    topology: Topology | None


class AccountSecrets:
    """See model.ports.Secrets. place: of an environment. Thread-safe."""

    def __init__(self, place: Callable[[EnvironmentKey], Place]) -> None:
        self._place = place

    def ready(self, key: EnvironmentKey) -> Iterator[Event]:
        """The environment's key, where it has none yet: it has a stack of its own, which outlives the environment, so
        the first `up` finds it there. Raises Problems."""
        place = self._required(key)
        if self._key(place, key) is not None:
            return
        if place.topology is None:
            what, why = "it has no key yet that could seal a secret", "nothing says what the environment is"
            raise Problems(Problem(str(key), what, why, "Stand in the manifest's folder, or say which with -C."))
        yield Event(EventKind.NOTE, "key", "is made first: it seals the secrets, and outlives the environment", "+")
        stack = key_stack(place.topology)
        wanted = StackWanted(stack.name, stack.family, stack.region, stack.text, stack.after, stack.lasting)
        effect = ApplyStack(wanted, codec.digest(place.topology))
        for said in execute.execute(place.work, [Step(Action.CREATE, stack.family, "the first secret", effect)]):
            if isinstance(said, Event):
                yield said
            elif isinstance(said, Receipt) and said.problem is not None:
                raise Problems(said.problem)

    def held(self, key: EnvironmentKey, names: Iterable[str] | None = None) -> Mapping[str, Secret]:
        """See model.ports.Secrets. What is sealed with a key that was released, or waits for its end, is not there."""
        place = self._required(key)
        asked = list(dict.fromkeys(self._listed(place, key) if names is None else names))
        if not asked:
            return {}
        sealing = self._key(place, key)
        with ThreadPoolExecutor(min(AT_ONCE, len(asked)), thread_name_prefix="anden-secret") as pool:
            described = pool.map(lambda name: self._described(place, key, name), asked)
            found = dict(zip(asked, described, strict=True))
        made = {name: _secret(name, each) for name, each in found.items() if each and _opens(key, each, sealing)}
        return {name: secret for name, secret in sorted(made.items()) if secret is not None}

    def value(self, key: EnvironmentKey, name: str, version: str) -> SecretValue:
        """See model.ports.Secrets. Raises Problems, always."""
        what, why = "its value is not fetched", "Secrets Manager hands it to tasks and tunnels, and to nobody else"
        raise Problems(Problem(f"secret {name}", what, why, f"`anden secret rotate {name} --on aws` puts a new one."))

    def put(self, key: EnvironmentKey, name: str, value: SecretValue, who: str, at: float) -> SecretVersion:
        """See model.ports.Secrets. One that was removed and can still be had back is brought back for it."""
        place = self._required(key)
        found = self._described(place, key, name, gone=True)
        count = max((number(each) for each in found.get("VersionIdsToStages", ())), default=0) + 1
        made = SecretVersion(version_id(count, os.urandom(ID_BYTES).hex()), float(int(at)), _fit(who))
        named, sealing = naming.secret_path(key.client, key.environment, name), _alias(key)
        with explained(f"secret {name}"):
            client = _client(place)
            if not found:
                tags = [{"Key": CLIENT, "Value": key.client}, {"Key": ENVIRONMENT, "Value": key.environment}]
                client.create_secret(Name=named, KmsKeyId=sealing, Tags=tags, Description="Set by anden.")
            elif "DeletedDate" in found:
                client.restore_secret(SecretId=named)
            if found and not _ours(key, found):
                client.update_secret(SecretId=named, KmsKeyId=sealing)
            client.put_secret_value(
                SecretId=named, ClientRequestToken=made.id, SecretString=value.reveal(),
                VersionStages=[CURRENT, _label(made)],
            )  # fmt: skip
        return made

    def prune(self, key: EnvironmentKey, name: str, using: Iterable[str]) -> None:
        """See model.ports.Secrets. Secrets Manager ends what has no label left."""
        place, kept = self._required(key), set(using)
        found = self._described(place, key, name)
        if (secret := _secret(name, found)) is None:
            return
        for old in secret.versions[KEPT_VERSIONS:]:
            for label in found["VersionIdsToStages"][old.id] if old.id not in kept else ():
                if _LABEL.fullmatch(label):
                    with explained(f"secret {name}"):
                        _client(place).update_secret_version_stage(
                            SecretId=found["Name"], VersionStage=label, RemoveFromVersionId=old.id
                        )

    def remove(self, key: EnvironmentKey, name: str) -> str:
        """See model.ports.Secrets."""
        place, named = self._required(key), naming.secret_path(key.client, key.environment, name)
        with explained(f"secret {name}"):
            done = _client(place).delete_secret(SecretId=named, RecoveryWindowInDays=RECOVERY_DAYS)
        until = _moment(done["DeletionDate"])
        again = f"`aws secretsmanager restore-secret --region {place.region} --secret-id {named}`"
        return f"until {until:%Y-%m-%d} {again} brings it back"

    def seal_by(self, by: str | None) -> None:
        """See model.ports.Secrets. Raises Problems, always."""
        what, why = "are sealed with the environment's own key", "its stack makes it"
        raise Problems(Problem("secrets on AWS", what, why, "Leave --on out: the twin's key can be chosen."))

    def _required(self, key: EnvironmentKey) -> Place:
        """Raises Problems: the credentials are of another account than the manifest says."""
        place = self._place(key)
        place.work.session.require(place.topology.account if place.topology else None)
        return place

    def _key(self, place: Place, key: EnvironmentKey) -> str | None:
        """The id of the key that the environment's name for it means; None: there is none that seals or opens."""
        with explained(str(key)):
            try:
                said = place.work.session.client("kms", place.region).describe_key(KeyId=_alias(key))["KeyMetadata"]
            except ClientError as error:
                if code(error) == "NotFoundException":
                    return None
                raise
        return str(said["KeyId"]) if said.get("KeyState", "Enabled") != "PendingDeletion" else None

    def _listed(self, place: Place, key: EnvironmentKey) -> Sequence[str]:
        """Names of all that the environment has, without those that were removed."""
        folder = naming.secret_path(key.client, key.environment, "")
        with explained(f"secrets of {key}"):
            pages = _client(place).get_paginator("list_secrets")
            found = pages.paginate(Filters=[{"Key": "name", "Values": [folder]}])
            names = [each["Name"] for page in found for each in page["SecretList"]]
        return [name.removeprefix(folder) for name in names if name.startswith(folder)]

    def _described(self, place: Place, key: EnvironmentKey, name: str, *, gone: bool = False) -> Mapping[str, Any]:
        """What Secrets Manager says of it, without its value; nothing where there is none. gone: or it was removed."""
        with explained(f"secret {name}"):
            try:
                found: Mapping[str, Any] = _client(place).describe_secret(
                    SecretId=naming.secret_path(key.client, key.environment, name)
                )
            except ClientError as error:
                if code(error) == NOT_THERE:
                    return {}
                raise
        return found if gone or "DeletedDate" not in found else {}


def _client(place: Place) -> Any:
    return place.work.session.client("secretsmanager", place.region)


def _alias(key: EnvironmentKey) -> str:
    """The name of the environment's key: it stays when the key is another one, in a second life after a release."""
    return f"alias/anden/{key.client}/{key.environment}"


def _ours(key: EnvironmentKey, found: Mapping[str, Any]) -> bool:
    """Whether it is sealed with the environment's key; what was put there by hand may have AWS's own."""
    return str(found.get("KmsKeyId", "")).endswith(_alias(key))


def _opens(key: EnvironmentKey, found: Mapping[str, Any], sealing: str | None) -> bool:
    return sealing is not None or not _ours(key, found)


def _secret(name: str, found: Mapping[str, Any]) -> Secret | None:
    """Its versions, the current one first; None: it has none."""
    changed = found.get("LastChangedDate") or found.get("CreatedDate")
    since = _moment(changed).timestamp() if changed else 0.0
    current: set[str] = set()
    versions = []
    for its, labels in found.get("VersionIdsToStages", {}).items():
        if set(labels) == {PENDING}:  # somebody else's rotation, half-way
            continue
        said = next((read for label in labels if (read := _LABEL.fullmatch(label))), None)
        versions.append(SecretVersion(its, float(said[1]), said[2]) if said else SecretVersion(its, since))
        current |= {its} if CURRENT in labels else set()
    versions.sort(key=lambda one: (one.id in current, number(one.id), one.at, one.id), reverse=True)
    return Secret(name, tuple(versions)) if versions else None


def _moment(said: datetime | float) -> datetime:
    return said if isinstance(said, datetime) else datetime.fromtimestamp(said, UTC)


def _label(version: SecretVersion) -> str:
    return f"v{number(version.id)}/{version.at:.0f}/{version.who}"[:MOST_LABEL]


def _fit(who: str) -> str:
    """As a label may have it."""
    return _UNFIT.sub("-", who).strip("-")
