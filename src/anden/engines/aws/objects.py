"""Objects in a bucket, written only on a condition: that nothing is there, or that it is still what was read.

S3 decides which of two writers wins (its user guide, "Conditional requests"). A write whose answer got lost may be
tried again by the client and is then refused because of itself: what is there is compared before it counts as lost.
Everything that goes wrong is raised as Problems.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from anden.model.problem import Problem, Problems

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST_KEYS = 200_000
"""Keys that one listing gives at most: a change takes about ten, so this is twenty thousand changes."""
MOST_BYTES = 8 << 20
"""Of one object. The blueprint of 300 services takes under 1 MB."""
READERS = 8
"""Objects read at once: boto3 keeps ten connections."""
MOST_READ_AT_ONCE = 256
NOT_SO = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
NOT_THERE = frozenset({"NoSuchKey", "404"})


@dataclass(frozen=True, slots=True)
class Object:
    """What an object held when it was read. tag: its ETag, which names that content to S3."""

    body: bytes
    tag: str


class Objects:
    """A bucket's objects. s3: a boto3 client."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3, self.bucket = s3, bucket

    def get(self, key: str) -> Object | None:
        """None: there is none."""
        try:
            answer = self._s3.get_object(Bucket=self.bucket, Key=key)
            body = answer["Body"].read(MOST_BYTES + 1)
        except ClientError as error:
            if _code(error) in NOT_THERE:
                return None
            raise self._problems(f"read {key}", error) from error
        except (BotoCoreError, OSError) as error:
            raise self._problems(f"read {key}", error) from error
        if len(body) > MOST_BYTES:
            raise self.damaged(key, f"it is larger than {MOST_BYTES} bytes")
        return Object(body, answer["ETag"])

    def put(self, key: str, body: bytes, over: Object | None) -> Object | None:
        """Write it where `over` still is (None: where nothing is). None: something else is there now."""
        try:
            if over is None:
                answer = self._s3.put_object(Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*")
            else:
                answer = self._s3.put_object(Bucket=self.bucket, Key=key, Body=body, IfMatch=over.tag)
        except ClientError as error:
            if _code(error) not in NOT_SO | NOT_THERE:
                raise self._problems(f"write {key}", error) from error
            there = self.get(key)
            ours = there is not None and there.body == body and (over is None or there.tag != over.tag)
            return there if ours else None
        except (BotoCoreError, OSError) as error:
            raise self._problems(f"write {key}", error) from error
        return Object(body, answer["ETag"])

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """Keys that begin with `prefix` and come after `after`, in order. Raises Problems past MOST_KEYS."""
        count = 0
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix, StartAfter=after or prefix
            ):
                for each in page.get("Contents", ()):
                    count += 1
                    if count > MOST_KEYS:
                        raise self.damaged(prefix, f"more than {MOST_KEYS} objects")
                    yield each["Key"]
        except (ClientError, BotoCoreError, OSError) as error:
            raise self._problems(f"list {prefix}", error) from error

    def folders(self, prefix: str) -> tuple[str, ...]:
        """The names right under `prefix`, which ends with a slash."""
        names: list[str] = []
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix, Delimiter="/"
            ):
                names += [each["Prefix"].removeprefix(prefix).rstrip("/") for each in page.get("CommonPrefixes", ())]
                if len(names) > MOST_KEYS:
                    raise self.damaged(prefix, f"more than {MOST_KEYS} names")
        except (ClientError, BotoCoreError, OSError) as error:
            raise self._problems(f"list {prefix}", error) from error
        return tuple(names)

    def read(self, keys: list[str]) -> Iterator[tuple[str, Object | None]]:
        """Many of them, in the order given."""
        with ThreadPoolExecutor(READERS) as readers:
            for first in range(0, len(keys), MOST_READ_AT_ONCE):
                some = keys[first : first + MOST_READ_AT_ONCE]
                yield from zip(some, readers.map(self.get, some), strict=True)

    def damaged(self, key: str, why: str) -> Problems:
        """What is there is not what anden writes."""
        fix = "Look at its older versions in the bucket, and bring back the last good one."
        return Problems(Problem(f"s3://{self.bucket}/{key}", "it cannot be used", why, fix))

    def _problems(self, doing: str, error: Exception) -> Problems:
        where = f"s3://{self.bucket}"
        if isinstance(error, ClientError):
            code, said = _code(error), error.response.get("Error", {}).get("Message", str(error))
            what, fix = f"AWS does not let us {doing}", FIXES.get(code, "Try again; if it stays, see AWS's own words.")
            return Problems(Problem(where, what, f"{code}: {said}".rstrip("."), fix))
        return Problems(Problem(where, f"cannot {doing}", str(error).rstrip("."), "Check the network, and try again."))


FIXES = {
    "AccessDenied": "Take on a role that may: anden-sre, or to look only anden-developer or anden-auditor.",
    "NoSuchBucket": "Set the account up first, or check that these are the credentials of the client's account.",
    "ExpiredToken": "Sign in again.",
    "InvalidAccessKeyId": "Sign in again.",
}


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
