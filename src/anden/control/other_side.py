"""What the other side of a link is told: what both agree on, and how its device is configured."""

from collections.abc import Callable
from dataclasses import dataclass

from anden.control.asked import Asked
from anden.control.drafts import after
from anden.control.means import Means
from anden.control.reading import Wish, compared, meant
from anden.model.blueprint import Blueprint
from anden.model.ids import EngineName, EnvironmentKey
from anden.model.link import Admitted, Agreement, Endpoint, LinkSeen, Opening
from anden.model.problem import Problem, Problems
from anden.model.report import LinkConfig, LinkPage
from anden.model.sight import Sight, TunnelSight
from anden.planning import link_page, links
from anden.planning.devices import DEVICES


@dataclass(frozen=True, slots=True)
class Agreed:
    """A link of an environment: what both sides agree on, what we open through it, and what they may."""

    key: EnvironmentKey
    agreement: Agreement
    openings: tuple[Opening, ...]
    admitted: tuple[Admitted, ...]


def agreed(means: Means, at: Asked, name: str, certified: Callable[[str], Problem] | None = None) -> Agreed:
    """Of the link that runs; of the one that only the manifest declares, else. Raises Problems: there is none of this
    name, or an address of ours is not known yet. certified: what is said of one that certificates prove on AWS, where
    it is refused."""
    key, blueprint = _with(means, at, name)
    link = next(each for each in blueprint.topology.links if each.name == name)
    known = means.engine.endpoints(key, blueprint, name) or tuple(Endpoint() for _ in range(link.tunnels))
    zones = [zone.name for zone in blueprint.layout.zones]
    agreement = links.agreement(link, blueprint.layout.network, zones, known)
    if certified is not None and agreement.certified and key.engine is EngineName.AWS:
        raise Problems(certified(name))
    if not agreement.known:
        raise Problems(_later(key, name))
    topology = blueprint.topology
    return Agreed(key, agreement, links.openings(topology, name), links.admitted(topology, name, zones))


def config(means: Means, at: Asked, name: str, device: str, invites: bool = False) -> LinkConfig:
    """The other side's configuration, for that device. invites: an invitation is made of it. Raises Problems."""
    if device not in DEVICES:
        raise Problems(
            Problem(f"device {device}", "there is no configuration for it", ", ".join(DEVICES), "Choose one.")
        )
    found, chosen = agreed(means, at, name, only_their_device if invites else _only_aws_knows), DEVICES[device]
    if problem := chosen.refusal(found.agreement):
        raise Problems(problem)
    return LinkConfig(
        found.key.client, found.key.environment, found.key.engine.value, name, chosen.name, chosen.title,
        chosen.render(found.agreement, found.openings, found.admitted),
        tuple(tunnel.key for tunnel in found.agreement.tunnels if tunnel.key), chosen.sources, chosen.tried,
        found.agreement, found.openings, found.admitted,
    )  # fmt: skip


def page(means: Means, at: Asked, name: str) -> LinkPage:
    """What both teams keep: agreed, to admit, seen; signed while somebody is invited. Raises Problems."""
    found, now = agreed(means, at, name), means.clock.now()
    target = means.store.target(found.key)
    runs = target is not None and target.blueprint is not None
    observed = means.look(found.key) if runs else None
    link = next((each for each in observed.links if each.name == name), None) if observed is not None else None
    ours = _sight(link, observed.at) if link is not None and observed is not None else None
    theirs = link.invited.sight if link is not None and link.invited is not None else None
    # AWS says why itself; on the twin they may be words of the other side's, and are `anden link status`'s to tell.
    wrong = _problems(link) if link is not None and found.key.engine is EngineName.AWS else ()
    whole_page = link_page.Page(
        found.key, found.agreement, found.openings, now, ours, theirs, found.admitted, our_problems=wrong
    )
    written = link_page.text(whole_page)
    signature = means.engine.sign(found.key, name, written) if link is not None else None
    whole = (
        link_page.unsigned(written, found.key.engine) if signature is None else link_page.signed(written, *signature)
    )
    key = found.key
    return LinkPage(key.client, key.environment, key.engine.value, name, now, whole, signature is not None)


def _problems(link: LinkSeen) -> tuple[Problem, ...]:
    said = (each.bgp.problem if each.up and each.bgp is not None else each.problem for each in link.tunnels)
    return tuple(each for each in said if each is not None)


def _sight(link: LinkSeen, at: float) -> Sight:
    tunnels = tuple(TunnelSight(each.number, each.up, each.since) for each in link.tunnels)
    began = link.invited.since if link.invited is not None else 0.0
    heard = bool(link.invited.joined) if link.invited is not None else link.by is not None
    since = began or min((each.since for each in link.tunnels if each.since), default=at)
    return Sight(at, since, heard, tunnels)


def _with(means: Means, at: Asked, name: str) -> tuple[EnvironmentKey, Blueprint]:
    """A blueprint that has the link: the target, or what the manifest would make of it."""
    key = meant(at, means.engine.name, means.store)
    target = means.store.target(key)
    running = means.store.blueprint(target.blueprint) if target is not None and target.blueprint is not None else None
    if running is not None and name in running.links:
        return key, running
    wished = compared(at, key)
    known = sorted(
        {*(running.links if running else ()), *((each.name for each in wished.topology.links) if wished else ())}
    )
    if wished is None or name not in known:
        why = ", ".join(known) or "none is declared"
        raise Problems(
            Problem(f"link {name}", "there is none of this name", why, "`links:` of the manifest declares them.")
        )
    return key, _drafted(means, at, key, running, wished)


def _drafted(means: Means, at: Asked, key: EnvironmentKey, running: Blueprint | None, wished: Wish) -> Blueprint:
    images = means.images.presume(at.folder, {each.name: each.source for each in wished.topology.services})
    facts = means.engine.facts(key, wished.topology.zones, wished.topology)
    return after(running, None, None, wished.topology, images, facts, wished.marks, wished.overrides)


def _only_aws_knows(name: str) -> Problem:
    return Problem(
        f"link {name}",
        "what the certificates of our endpoints say on AWS is not known here",
        "AWS makes them, of the authority of the other side's certificate, and its documents do not say their names",
        f"Without --on it shows all else, with the twin's endpoints. AWS's own configuration of link {name} has them: "
        "`aws ec2 get-vpn-connection-device-sample-configuration`.",
    )


def only_their_device(name: str) -> Problem:
    """Of an invitation to a link on AWS that certificates prove."""
    return Problem(
        f"invitation to link {name}",
        "certificates prove this link's sides",
        "the private key of the other side's never leaves their device, so no other machine can be it",
        f"Configure their device: `anden link config {name} --device DEVICE` says how, with the twin's endpoints. To "
        "try the agreement before, have somebody join the twin's: leave out `--on aws`.",
    )


def _later(key: EnvironmentKey, name: str) -> Problem:
    return Problem(
        f"link {name}",
        "the outside addresses of our two endpoints are not known yet",
        "AWS gives them when it makes the connection; everything else is agreed, and is what the twin has",
        f"After the first `anden up --on {key.engine}` the same command knows them. Until then "
        f"`anden link config {name}` shows it all with the twin's addresses.",
    )
