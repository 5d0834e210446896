"""Cross-checks: faults that no single value shows. Each is one function over what could be read."""

from anden.manifest.checks import environments, incoming, links, networks, reaches, services
from anden.manifest.faults import Faults
from anden.manifest.view import View


def check(views: tuple[View, ...], faults: Faults) -> None:
    """Note every fault between the parts of the environments, given in the order of the file."""
    for view in views:
        for each in (*services.CHECKS, *environments.CHECKS, *networks.CHECKS, *links.CHECKS, *incoming.CHECKS):
            each(view, faults)
    environments.few_beside_production(views, faults)
    reaches.reached_exists(views, faults)
