"""The example's data centre: its configuration is what `anden link config` says of its link."""

from pathlib import Path

from tests.unit.planning.topologies import drafted

from anden import manifest
from anden.engines.local import endpoints
from anden.model.configuration import Linked
from anden.planning import links
from anden.planning.devices import strongswan

EXAMPLE = Path(__file__).parents[4] / "examples" / "banco-andino"


def test_the_examples_data_centre_has_the_configuration_that_a_client_is_given() -> None:
    read = manifest.read((EXAMPLE / "anden.yaml").read_text(), "anden.yaml", client="banco-andino")
    blueprint = drafted(read.topologies["rehearsal"])
    (link,) = blueprint.topology.links
    agreed = endpoints.agreed(blueprint.layout, Linked(link, blueprint.links[link.name], ()))
    zones = [zone.name for zone in blueprint.layout.zones]
    opened, admitted = (
        links.openings(blueprint.topology, link.name),
        links.admitted(blueprint.topology, link.name, zones),
    )
    assert (EXAMPLE / "datacentre" / "swanctl.conf").read_text() == strongswan.theirs(agreed, opened, admitted)
