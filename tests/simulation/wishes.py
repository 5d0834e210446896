"""What somebody may wish for, as a value: written out as a manifest for control, read as it is by the judge."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

CLIENT, ENVIRONMENT = "banco", "dev"
NAMES = ("web", "api", "ledger")
LINK = "{ peer: 203.0.113.10, networks: [10.20.0.0/16], secret: [vpn-1, vpn-2] }"
BEHIND = "{ link: core, to: 10.20.4.17:8443 }"
BAD = ("broken", "crashing")
"""Words in an image's name that the simulated engine knows: never healthy, and never up for long."""


@dataclass(frozen=True, slots=True)
class Service:
    """base..most instances of `image`; port 0: it listens nowhere."""

    name: str
    image: str
    base: int
    most: int
    port: int


@dataclass(frozen=True, slots=True)
class Wish:
    """A manifest of one environment. The first service is routed, and reaches the others; with a link, what lies
    behind it too."""

    zones: int
    services: tuple[Service, ...]
    link: bool = False

    @property
    def text(self) -> str:
        """As it is written."""
        lines = ["anden: 1", f"client: {CLIENT}", "environments:", f"  {ENVIRONMENT}:", f"    zones: {self.zones}"]
        lines.append("    network: 10.80.0.0/16")
        if self.link:
            lines += ["    links:", f"      core: {LINK}", f"    destinations: {{ core-api: {BEHIND} }}"]
        lines.append("services:")
        others = [*(one.name for one in self.services[1:] if one.port), *(["core-api"] if self.link else [])]
        for number, one in enumerate(self.services):
            more = f", port: {one.port}" if one.port else ""
            if number == 0:
                more += ", route: /" + (f", reaches: [{', '.join(others)}]" if others else "")
            lines.append(f"  {one.name}: {{ image: '{one.image}', instances: {one.base}..{one.most}{more} }}")
        return "\n".join(lines) + "\n"

    @property
    def images(self) -> Mapping[str, str]:
        """Service to the image that the manifest names."""
        return {one.name: one.image for one in self.services}


class Wishes:
    """One manifest after the other, each a small step from the last one that was good."""

    def __init__(self, random: Random, link: bool = False) -> None:
        self._random = random
        self._number = 0
        count = random.choice((1, 2, 2, 3))
        self.last = Wish(random.choice((1, 1, 2, 3)), tuple(self._service(name) for name in NAMES[:count]), link)

    def image(self, name: str, bad: float) -> str:
        """An image that was never seen before; with probability `bad` one that does not work."""
        self._number += 1
        word = f"{self._random.choice((*BAD, 'crashing'))}-" if self._random.random() < bad else ""
        return f"{name}:{word}{self._number}"

    def next(self, bad: float) -> Wish:
        """Another manifest."""
        wish = self.last
        match self._random.randrange(10):
            case 0:
                pass
            case 1 if len(wish.services) > 1:
                wish = replace(wish, services=wish.services[:-1])
            case 2 if len(wish.services) < len(NAMES):
                fresh = next(name for name in NAMES if name not in wish.images)
                wish = replace(wish, services=(*wish.services, self._service(fresh)))
            case 3:
                wish = self._with(wish, self._ranged)
            case 4:
                wish = self._with(wish, lambda one: replace(one, port=9090 if one.port == 8080 else 8080))
            case 5 if self._random.random() < 0.3:
                wish = replace(wish, zones=self._random.choice((1, 2, 3)))
            case _:
                for _ in range(self._random.choice((1, 1, 2))):
                    wish = self._with(wish, lambda one: replace(one, image=self.image(one.name, bad)))
        if not any(word in image for image in wish.images.values() for word in BAD):
            self.last = wish
        return wish

    def good(self) -> Wish:
        """The last good one with a new image each."""
        return replace(
            self.last, services=tuple(replace(one, image=self.image(one.name, 0.0)) for one in self.last.services)
        )

    def _with(self, wish: Wish, changed: Callable[[Service], Service]) -> Wish:
        at = self._random.randrange(len(wish.services))
        services = [changed(one) if number == at else one for number, one in enumerate(wish.services)]
        return replace(wish, services=tuple(services))

    def _service(self, name: str) -> Service:
        port = 8080 if name != "ledger" or self._random.random() < 0.7 else 0
        return self._ranged(Service(name, self.image(name, 0.0), 1, 1, port))

    def _ranged(self, one: Service) -> Service:
        base = self._random.choice((1, 2, 2, 3))
        return replace(one, base=base, most=base + self._random.choice((0, 1, 2)))
