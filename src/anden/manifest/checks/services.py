"""What the fields of a service ask of each other."""

import re

from anden.manifest.faults import Faults
from anden.manifest.limits import ANY
from anden.manifest.node import Scalar, Table
from anden.manifest.record import Said
from anden.manifest.view import View, instances
from anden.model.topology import Protocol, ScaleMetric

_SECRET_WORDS = re.compile(
    r"PASSW(?:OR)?D|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?|(?:API|ACCESS|PRIVATE|SIGNING|ENCRYPTION)_?KEY"
)
_ABOUT_A_SECRET = re.compile(
    r"_(?:URL|URI|FILE|PATH|DIR|TTL|NAME|ID|ISSUER|AUDIENCE|LENGTH|MIN|MAX|SECONDS|MINUTES|EXPIRY|ENDPOINT|HOST|PORT"
    r"|HEADER|TYPE|ALGORITHM|ENABLED|REQUIRED|POLICY|COUNT|LIMIT|TIMEOUT|PREFIX|VERSION|REGION)$"
)
"""A variable that ends so says something about a secret, and is none."""
_SECRET_VALUES = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"), "a private key"),
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), "an AWS access key"),
    (re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36}|\bxox[abprs]-[A-Za-z0-9-]{10}|\bsk_live_[A-Za-z0-9]{16}"), "a token"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,200}\.eyJ[A-Za-z0-9_-]{8,2000}\."), "a token"),
    (re.compile(r"://[^/\s:@]{1,200}:[^/\s:@]{1,200}@"), "a password"),
)


def source(view: View, faults: Faults) -> None:
    """Image or build, exactly one."""
    for name, service in view.services.items():
        given = [field for field in ("image", "build") if not service.absent(field)]
        if len(given) == 1:
            continue
        if given:
            over = [field for field in given if _overridden(service, field)]
            drop = "image" if over == ["build"] else "build"
            place = service.at(over[0] if len(over) == 1 else "build")
            faults.add(
                place,
                f"{name} has both an image and a build",
                "an instance starts from one of the two",
                f"Add `{drop}: null` here." if len(over) == 1 else "Remove one of them.",
            )
            continue
        only_here = service.node.path.startswith("environments/")
        others = [other for other in view.services if other != name]
        close = faults.near(name, others) if only_here else None
        faults.add(
            service.node,
            f"{name} has neither an image nor a build",
            "an override of a service that is not declared is a service of its own"
            if only_here
            else "an instance starts from one of the two",
            f"Did you mean {close}?" if close else f"Add `image: {name}:1.0.0`, or `build: ./{name}`.",
        )


def listens(view: View, faults: Faults) -> None:
    """A route, a health check and scaling by requests need a port; HTTP is not spoken by a tcp service."""
    for name, service in view.services.items():
        no_port = service.absent("port")
        tcp = service.get("protocol") is Protocol.TCP
        if not service.absent("route") and (no_port or tcp):
            faults.add(
                service.at("route"),
                f"{name} has a route and {'no port' if no_port else 'speaks tcp'}",
                "the gateway sends HTTP requests to a service's port",
                "Add the port that it listens on, or remove the route."
                if no_port
                else "Set protocol to http or http2, or remove the route.",
            )
        if not service.absent("health") and no_port:
            faults.add(
                service.at("health"),
                f"{name} has a health check and no port",
                "a service that listens on nothing is healthy while it runs",
                "Add its port, or remove health.",
            )
        health = service.get("health")
        if health is not None and tcp and health.get("path") is not None and health.get("path").path is not None:
            faults.add(
                service.at("health"),
                f"{name} speaks tcp and cannot answer a GET",
                "a health path is asked for by HTTP",
                "Use `health: tcp`, or set protocol to http.",
            )
        scale = service.get("scale")
        if scale is not None and scale.metric is ScaleMetric.REQUESTS and no_port:
            faults.add(
                service.at("scale"),
                f"{name} scales by requests and gets none",
                "it listens on nothing",
                "Scale by cpu, as `60% cpu`, or add its port.",
            )
        if not service.absent("protocol") and no_port:
            faults.add(
                service.at("protocol"),
                f"{name} has a protocol and no port",
                "a protocol is spoken on a port",
                "Add its port, or remove protocol.",
            )


def elastic(view: View, faults: Faults) -> None:
    """Scaling needs somewhere to scale to. An environment may narrow the range of all others: it then stands still."""
    for name, service in view.services.items():
        span = instances(service)
        narrowed = _overridden(service, "instances") and not _overridden(service, "scale")
        if service.absent("scale") or span is None or span.max > span.base or narrowed:
            continue
        faults.add(
            service.at("scale"),
            f"{name} scales and has always {span.base} instance" + ("" if span.base == 1 else "s"),
            "scaling moves between the base and the end of the range",
            f"Set `instances: {span.base}..{span.base * 4}`, or remove scale.",
        )


def variables(view: View, faults: Faults) -> None:
    """A variable has one value, and a secret never stands in a manifest."""
    for name, service in view.services.items():
        env, secrets = service.node.entries.get("env"), service.node.entries.get("secrets")
        if isinstance(env, Table) and isinstance(secrets, Table):
            for variable in sorted(env.entries.keys() & secrets.entries.keys()):
                if not env.entries[variable].null and not secrets.entries[variable].null:
                    faults.add(
                        secrets.entries[variable],
                        f"{variable} is both a variable and a secret of {name}",
                        f"a variable has one value; the other is in line {env.entries[variable].line}",
                        "Remove it from env.",
                    )
        if isinstance(env, Table):
            for variable, node in (*env.entries.items(), *env.doubles):
                if isinstance(node, Scalar):
                    _no_secret(variable, node, faults)


def _no_secret(variable: str, node: Scalar, faults: Faults) -> None:
    value = node.text.strip()
    looks = next((what for pattern, what in _SECRET_VALUES if pattern.search(value)), None)
    upper = variable.upper()
    if looks is None and _SECRET_WORDS.search(upper) and not _ABOUT_A_SECRET.search(upper):
        looks = None if value.lower() in ("", "true", "false", "none", "null") else "a secret"
    if looks is not None:
        faults.add(
            node,
            f"{variable} looks like {looks}",
            "a manifest is read by many; secrets stand in it by name, never by value",
            f"Move it to secrets, as `{variable}: NAME-OF-THE-SECRET`, and replace the secret if this was shared.",
        )


def named_as_instance(view: View, faults: Faults) -> None:
    """`accounts-1` is an instance of `accounts`: a service of that name beside it would be confused with it."""
    for name, service in view.services.items():
        stem, _, ordinal = name.rpartition("-")
        if ordinal.isdigit() and stem in view.services:
            faults.add(
                service.node,
                f"{name} is the name of an instance of {stem}",
                "instances are named by their service and a number",
                f"Rename it, for example {stem}-v{ordinal}.",
            )


def one_name(view: View, faults: Faults) -> None:
    """A service and a destination cannot have the same name: reaches would mean either."""
    for name in sorted(view.services.keys() & view.destinations.keys()):
        faults.add(
            view.destinations[name].node,
            f"{name} is a service already",
            f"reaches names services and destinations; the service is in line {view.services[name].node.line}",
            f"Rename the destination, for example {name}-outside.",
        )


def one_route(view: View, faults: Faults) -> None:
    """A path of a host leads to one service."""
    taken: dict[tuple[str | None, str], tuple[str, int]] = {}
    routed = sorted(view.routed(), key=lambda each: each[1].at("route").line)
    for name, service, route in routed:
        if route.get("path") is None or "host" in route.broken:
            continue
        key = (route.get("host"), route.get("path"))
        if key in taken:
            other, line = taken[key]
            faults.add(
                service.at("route"),
                f"{key[0] or ''}{key[1]} leads to {other} already",
                f"a request goes to one service; the other route is in line {line}",
                f"Use another path, such as {key[1].rstrip('/')}/{name}, or another host.",
            )
        else:
            taken[key] = (name, service.at("route").line)


def issuer_exists(view: View, faults: Faults) -> None:
    """A route asks for tokens of an issuer that is declared."""
    if "auth" in view.said.broken:
        return
    known = view.issuers.keys() | (view.said.get("auth") or {}).keys()
    for name, service, route in view.routed():
        auth = route.get("auth")
        if auth is None or auth in known:
            continue
        close = faults.near(auth, known)
        node = service.at("route")
        faults.add(
            node.entries.get("auth", node) if isinstance(node, Table) else node,
            f"there is no issuer {auth}",
            f"the route of {name} asks for its tokens",
            f"Did you mean {close}?" if close else f"Declare it: `auth: {{ {auth}: {{ issuer: …, audience: … }} }}`.",
        )


def scopes_of_tokens(view: View, faults: Faults) -> None:
    """Only a token has scopes: a route that asks for them says whose."""
    for name, service, route in view.routed():
        if route.get("scopes") and route.absent("auth"):
            node = service.at("route")
            faults.add(
                node.entries.get("scopes", node) if isinstance(node, Table) else node,
                f"the route of {name} asks for scopes and for no token",
                "scopes are what a token holds",
                "Say whose tokens it asks for: `auth: NAME`.",
            )


def origins_of_cors(view: View, faults: Faults) -> None:
    """`*` is nobody in particular: it stands alone, and no cookies come along (browsers refuse that)."""
    for name, service, route in view.routed():
        cors = route.get("cors")
        if cors is None or ANY not in (cors.get("origins") or ()):
            continue
        if len(cors.get("origins")) > 1:
            what, fix = f'the route of {name} lets "*" ask, and others', 'Leave the others out, or "*".'
            faults.add(service.at("route"), what, '"*" is every origin already', fix)
        if cors.get("credentials"):
            what = f"the route of {name} lets any page ask with cookies"
            why = 'browsers take "*" for an answer only where no cookies come along'
            faults.add(service.at("route"), what, why, "Name the origins, or leave credentials out.")


def _overridden(service: Said, field: str) -> bool:
    return service.at(field).path.startswith("environments/")


CHECKS = (source, listens, elastic, variables, named_as_instance, one_name, one_route, issuer_exists, scopes_of_tokens,
          origins_of_cors)  # fmt: skip
