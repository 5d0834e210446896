"""The key of the twin's secrets, sealed by a key of KMS: see store.sealing_key.Wrapping."""

# ruff: noqa: PLC0415 - boto3 costs half a second, and few have their key there

import re
from typing import TYPE_CHECKING

from anden.model.problem import Problem, Problems

if TYPE_CHECKING:
    from anden.engines.aws.session import Session

KEY_ARN = re.compile(r"arn:[a-z-]+:kms:([a-z0-9-]+):[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]+")
"""A key's ARN or that of its alias: it says the region, which a bare id does not."""
TRIES = 3
"""Of one call: somebody waits for an instance."""
CONTEXT = "anden:sealing-key"
"""Of the encryption context: CloudTrail shows it, and another context opens nothing (KMS developer guide, "Encryption
context")."""


class Kms:
    """By the ordinary credentials chain of this process."""

    def __init__(self) -> None:
        self._made: Session | None = None

    def wrap(self, by: str, key: bytes, about: str) -> bytes:
        """See store.sealing_key.Wrapping."""
        from anden.engines.aws.errors import explained

        client = self._session().client("kms", _region(by))
        with explained(by):
            made: bytes = client.encrypt(KeyId=by, Plaintext=key, EncryptionContext={CONTEXT: about})["CiphertextBlob"]
        return made

    def unwrap(self, by: str, sealed: bytes, about: str) -> bytes:
        """See store.sealing_key.Wrapping."""
        from anden.engines.aws.errors import explained

        client, context = self._session().client("kms", _region(by)), {CONTEXT: about}
        with explained(by):
            opened: bytes = client.decrypt(KeyId=by, CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"]
        return opened

    def _session(self) -> "Session":
        from anden.engines.aws.session import Session

        self._made = self._made or Session(TRIES)
        return self._made


def _region(by: str) -> str:
    found = KEY_ARN.fullmatch(by)
    if found is None:
        what, why = "it is not the ARN of a key", "that says the account and the region as well"
        raise Problems(Problem(by, what, why, "Write arn:aws:kms:REGION:ACCOUNT:key/ID, or …:alias/NAME."))
    return found[1]
