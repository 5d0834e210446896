"""Text to topologies, or every problem in it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from anden.manifest.checks import check
from anden.manifest.document import parse
from anden.manifest.faults import Faults
from anden.manifest.grammar import ENVIRONMENT, MOST_ENVIRONMENTS, ROOT
from anden.manifest.meaning import topology
from anden.manifest.names import normalised
from anden.manifest.node import Node, Table, kind
from anden.manifest.overrides import merge
from anden.manifest.places import Places
from anden.manifest.record import Said
from anden.manifest.view import view
from anden.model.mark import Marks
from anden.model.problem import Problem, Problems
from anden.model.topology import Service, Topology

ONLY_ENVIRONMENT = "dev"
"""The environment of a manifest that names none."""
NAMELESS_CLIENT = "client"
"""The client of a folder whose name holds no letter."""
_OWN = "links"
"""What an environment does not inherit."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest means. environments: their names, in the order of the file.

    marks: environment to path to place, the effective one: `services/accounts/instances` of an environment that
    overrides it stands at the override's line.
    """

    client: str
    environments: tuple[str, ...]
    topologies: Mapping[str, Topology]
    marks: Mapping[str, Marks]

    def default_environment(self) -> str:
        """The only one, else the first that is not production. Raises Problems when all of several are production."""
        if len(self.environments) == 1:
            return self.environments[0]
        for name in self.environments:
            if not self.topologies[name].production:
                return name
        raise Problems(
            Problem(
                "environments",
                f"{', '.join(self.environments)} are all production",
                "production is never chosen by default",
                f"Name one: -e {self.environments[0]}.",
            )
        )


def read(text: str, file: str, *, client: str) -> Manifest:
    """The meaning of a manifest's text. file: its name for messages. client: whose it is when the text does not say,
    usually the folder's name. Raises Problems with every problem."""
    faults = Faults(file)
    root = parse(text, faults)
    if not isinstance(root, Table):
        faults.add(
            root,
            "the manifest is empty" if root.null else f"the manifest is {kind(root)}",
            "a manifest is a mapping that says anden and services",
            "Run `anden init`, or begin with `anden: 1` and `services:`.",
        )
        faults.raise_any()
    assert isinstance(root, Table)  # noqa: S101 - raised above otherwise
    said = ROOT.read(root, faults)
    inherited = {key: node for key, node in root.entries.items() if key in ENVIRONMENT.by_name and key != _OWN}
    common = Table(inherited, root.line, root.path)
    owns = _environments(root)
    views, services = [], []
    for name, own in owns.items():
        merged = merge(common, own) if isinstance(own, Table) else common
        environment: Said = ENVIRONMENT.read(merged, faults)
        misspelt = said.broken - merged.entries.keys()
        views.append(view(name, replace(environment, broken=environment.broken | misspelt), own or root))
        services.append(merged.entries.get("services"))
    check(tuple(views), faults)
    faults.raise_any()
    whose = said.get("client") or client_name(client)
    places = Places(file)
    built: dict[int, Service] = {}
    return Manifest(
        client=whose,
        environments=tuple(owns),
        topologies={each.name: topology(whose, each, built) for each in views},
        marks={
            each.name: places.marks(each.name, root, own if isinstance(own, Table) else None, merged_services)
            for each, own, merged_services in zip(views, owns.values(), services, strict=True)
        },
    )


def client_name(text: str) -> str:
    """A client's name from any text, such as a folder's name."""
    return normalised(text, "client-") or NAMELESS_CLIENT


def _environments(root: Table) -> dict[str, Node | None]:
    """The environments by name, each with what it says; one by default. What is wrong with them is noted elsewhere."""
    written = root.entries.get("environments")
    if not isinstance(written, Table) or not written.entries:
        return {ONLY_ENVIRONMENT: None}
    readable = [(name, own) for name, own in written.entries.items() if own.null or isinstance(own, Table)]
    return dict(readable[:MOST_ENVIRONMENTS])
