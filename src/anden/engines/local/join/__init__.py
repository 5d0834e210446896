"""The other side of a link by an invitation: a strongSwan in networks of its own, on any Linux machine.

    this machine's network ── UDP ── the twin's machine
    between (wan of both endpoints' addresses) ── core (the peer's address, strongSwan, what we answer with)

On AWS its endpoints are met themselves, by ordinary IKE (`to_aws`).

Nothing of the machine's network is touched: both networks are namespaces that no file holds, and end with the process.
"""

from anden.engines.local.join.joining import Joining
from anden.engines.local.join.needs import lacking
from anden.engines.local.join.to_aws import ToAws

__all__ = ["Joining", "ToAws", "lacking"]
