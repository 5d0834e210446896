"""Applies the firewall's ruleset to the hub, in one transaction, through libnftables in this process."""

from collections.abc import Collection
from ipaddress import IPv4Network

from anden.engines.local.cell import nft
from anden.engines.local.render import nftables
from anden.engines.local.render.outside import Grant
from anden.model.configuration import Configuration


def apply(configuration: Configuration, down: Collection[IPv4Network] = (), granted: Collection[Grant] = ()) -> None:
    """Replace the whole ruleset at once. What connection tracking knows goes on; `down` networks are cut off; what is
    granted and still declared stays open for its time.

    Call it in the hub's network namespace. Raises Problems when nftables refuses; then nothing has changed.
    """
    nft.run(nftables.ruleset(configuration, down, granted))
