"""Text to topologies, or every problem in it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from anden.manifest import jwks
from anden.manifest.checks import check
from anden.manifest.document import parse
from anden.manifest.faults import Faults, Wrong
from anden.manifest.grammar import ENVIRONMENT, MOST_ENVIRONMENTS, ROOT
from anden.manifest.meaning import topology
from anden.manifest.names import normalised
from anden.manifest.node import Node, Table, kind
from anden.manifest.overrides import merge
from anden.manifest.places import Places
from anden.manifest.record import Said
from anden.manifest.view import View, view
from anden.model.mark import Marks
from anden.model.problem import Problem, Problems
from anden.model.topology import Service, Topology, VerifyingKey

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


Keys = Callable[[str], str | None]
"""From a file of keys, as written, to its text; None when it cannot be read."""


def no_keys(_: str) -> None:
    """For a manifest that comes without the files beside it."""


def read(text: str, file: str, *, client: str, keys: Keys = no_keys) -> Manifest:
    """The meaning of a manifest's text. file: its name for messages. client: whose it is when the text does not say,
    usually the folder's name. keys: the issuers' files. Raises Problems with every problem."""
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
    verifying = _keys(views, keys, faults)
    faults.raise_any()
    whose = said.get("client") or client_name(client)
    places = Places(file)
    built: dict[int, Service] = {}
    return Manifest(
        client=whose,
        environments=tuple(owns),
        topologies={each.name: topology(whose, each, built, verifying) for each in views},
        marks={
            each.name: places.marks(each.name, root, own if isinstance(own, Table) else None, merged_services)
            for each, own, merged_services in zip(views, owns.values(), services, strict=True)
        },
    )


def _keys(views: Iterable[View], text_of: Keys, faults: Faults) -> dict[str, tuple[VerifyingKey, ...]]:
    """What the issuers' files hold, by their names as written; each is read once, and what is wrong is noted."""
    found: dict[str, tuple[VerifyingKey, ...]] = {}
    wrong: dict[str, Wrong] = {}
    for each in views:
        for issuer in each.issuers.values():
            file = issuer.get("keys")
            if file is None:
                continue
            if file not in found and file not in wrong:
                try:
                    found[file] = _verifying(text_of(file))
                except Wrong as error:
                    wrong[file] = error
            if file in wrong:
                why = wrong[file]
                faults.add(issuer.at("keys"), f"{file} {why.what}", why.why or "", why.fix)
    return found


def _verifying(text: str | None) -> tuple[VerifyingKey, ...]:
    if text is None:
        fix = "Save there what the issuer publishes at its jwks_uri."
        raise Wrong(fix, what="cannot be read", why="keys are a file of text, relative to the manifest")
    return jwks.verifying(text)


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
