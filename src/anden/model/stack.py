"""Stacks: parts of an environment that live and fail by themselves, each made by an engine from a template."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from anden.model.ids import Digest
from anden.model.image import ImageWanted


@dataclass(frozen=True, slots=True)
class StackWanted:
    """A stack as it should be.

    name: the engine's. family: `network`, `service-accounts`, …. region: where. template: what it is made from, as
    text. after: families whose stacks come first, and go last. lasting: it holds what must outlive a mistake.
    images: those that it runs, which must be in the registry before it is applied.
    """

    name: str
    family: str
    region: str
    template: str
    after: tuple[str, ...] = ()
    lasting: bool = False
    images: tuple[ImageWanted, ...] = ()

    @property
    def digest(self) -> Digest:
        """The template's SHA-256: what an observation compares."""
        return Digest("sha256:" + hashlib.sha256(self.template.encode()).hexdigest())


class StackState(StrEnum):
    """Where a stack is in its life."""

    SETTLED = "settled"
    """It is what was last applied."""
    WORKING = "working"
    """Somebody's operation on it is in flight."""
    FAILED = "failed"
    """The last operation failed, and it stands as it stood before; another may be tried."""
    STUCK = "stuck"
    """It failed and could not be put back: nothing can be applied until that is mended, or it is deleted."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a stack holds that outlives its environment, until somebody releases it.

    family: the stack's. what: for people: `203.0.113.7`, `KMS key 1234abcd-…`. month_usd: what it costs a month whether
    it is used or not, by list price; None: no price is known. back: until when and how it can be had back after a
    release; empty: not at all.
    """

    family: str
    what: str
    month_usd: float | None = None
    back: str = ""


@dataclass(frozen=True, slots=True)
class StackSeen:
    """A stack as an engine saw it.

    template: the digest of what it stands at; None: nobody of ours made it, or nothing of it stands (its creation was
    rolled back). blueprint: the one that last changed it. why: when it is not settled, what happened, in the engine's
    words, the first cause first, a line each. drifted: resources that are not as the template says, by name, when
    somebody has looked. looked_at: when that was, Unix seconds; None: not since it was last changed. after: families of
    stacks that it uses, as far as the engine knows. kept: what it holds outlives the environment: nothing but a release
    ends it.
    """

    name: str
    family: str
    region: str
    state: StackState
    template: Digest | None = None
    blueprint: Digest | None = None
    why: str = ""
    drifted: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    looked_at: float | None = None
    kept: Kept | None = None
