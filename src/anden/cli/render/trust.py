"""What `anden trust` says."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from anden.cli.render.paint import Paint

if TYPE_CHECKING:
    from anden.engines.local.trust import Trust


def lines(found: "Trust", by_hand: Sequence[str], paint: Paint) -> list[str]:
    """What is, what would be done, and what that means."""
    until = time.strftime("%Y-%m-%d", time.gmtime(found.until))
    said = [
        f"the authority of {found.client}'s twins, until {until}",
        f"  certificate  {found.certificate}",
        f"  SHA-256      {found.fingerprint}",
        f"  signs for    {', '.join(found.names)}, what is below them, and nothing else",
    ]
    earlier = [
        f"  {each} is an earlier one, whose key is gone: `--remove` takes it out as well" for each in found.others
    ]
    if found.trusted:
        return [*said, f"{paint.sign('✓')} this machine trusts it: {found.place}", *earlier, *_browsers(found)]
    if not found.store:
        how = [f"  {each}" for each in by_hand]
        return [*said, f"{paint.sign('!')} this machine's store is not one that anden changes. By hand:", *how]
    return [
        *said,
        f"{paint.sign('+')} {found.place}, a copy of the certificate; then `update-ca-certificates` runs",
        *earlier,
        "Then every program that uses this system's store (curl, git, Python, …) believes who shows a certificate of",
        f"this authority to be the host that is in it. Its key is {found.key}, for root alone:",
        "whoever has it can pretend to be these names to this machine. `anden trust --remove` takes it out again.",
        *_browsers(found),
        f"Nothing was changed. {paint.link('anden trust --yes')} does it.",
    ]


def removed(client: str, gone: Sequence[str]) -> list[str]:
    """What was taken out of the store."""
    if not gone:
        return [f"this machine trusts no authority of {client}'s twins; nothing was changed"]
    return [*(f"- {each}" for each in gone), "this machine trusts it no more; programs that run may until they end"]


def _browsers(found: "Trust") -> list[str]:
    return [f"Browsers and Java have stores of their own: import {found.certificate} there."]
