"""The schema of a manifest: every key that exists, what it holds, and what it means."""

from anden.manifest import addresses, asn, elasticity, figures, limits, names, sizes, sources
from anden.manifest.record import Field, MapOf, Record
from anden.manifest.shape import Forms, ListOf
from anden.model.topology import TUNNELS

MOST_SERVICES = 2_000
MOST_DESTINATIONS = 1_000
MOST_REACHES = 1_000
MOST_VARIABLES = 200
MOST_LINKS = 10
"""VPN connections of a gateway, by AWS's quota."""
MOST_NETWORKS = 100
"""Routes that a VPN connection advertises, by AWS's quota."""
MOST_INCOMING = 50
"""Services that the other side of a link may open: listeners of a Network Load Balancer, by AWS's quota."""
"""Of a link, as AWS has it."""
MOST_SCOPES = 10
"""That one route asks for."""
MOST_ENVIRONMENTS = 20

MOST_ORIGINS = 20
"""Of a route; each costs a browser's request a comparison."""
MOST_HEADERS = 50

CORS = Record(
    "cors",
    "which pages may ask",
    (
        Field("origins", ListOf("a list of origins", limits.ORIGIN, MOST_ORIGINS, least=1, twice="once is enough"),
              'Whose pages may ask, as `https://app.bank.example`; "*": anybody\'s.', required=True,
              example="[https://app.bank.example]"),
        Field("methods", ListOf("a list of methods", limits.METHOD, 6, least=1, twice="once is enough"),
              "By which methods.", default="[GET, HEAD, POST]"),
        Field("headers", ListOf("a list of headers", limits.HEADER, MOST_HEADERS, twice="once is enough"),
              "With which headers, such as authorization and content-type."),
        Field("credentials", names.FLAG, "Whether cookies may come along.", default=False),
        Field("age", limits.AGE, "How long a browser may remember the answer.", default="10 m"),
    ),
    "https://app.bank.example, or { origins: [https://app.bank.example], headers: [authorization] }",
    short="origins",
    elsewhere={"origin": "origins", "from": "origins", "allow": "origins", "method": "methods", "header": "headers",
               "max-age": "age", "cookies": "credentials"},
)  # fmt: skip

ROUTE = Record(
    "route",
    "a route",
    (
        Field("path", addresses.ROUTE_PATH, "What the gateway sends to the service, as a prefix.",
              required=True, example="/accounts"),
        Field("host", names.DOMAIN, "Only requests to this host; absent: to any."),
        Field("auth", names.NAME, "Who issues the tokens that it asks for, by a name of `auth`."),
        Field("scopes", ListOf("a list of scopes", names.SCOPE, MOST_SCOPES, twice="once is enough"),
              "What its tokens must hold as well, in `scope` or `scp`: all of them."),
        Field("rewrite", addresses.ROUTE_PATH, "What stands in the path's place when the service is asked; absent: the "
              "path itself."),
        Field("body", limits.BODY, "The largest body of a request, as `1 MB`; absent: any, as far as the engine goes."),
        Field("rate", limits.RATE, "The most requests all in all, as `500/s` or `600/min`."),
        Field("rate-each", limits.RATE, "The most requests of one client's address, as `20/s`."),
        Field("cors", CORS, "Which pages of other origins may ask from a browser; absent: the service says it."),
    ),
    "/accounts, or { path: /accounts, auth: customers }",
    short="path",
    elsewhere={"prefix": "path", "url": "path", "hostname": "host", "domain": "host", "scope": "scopes",
               "issuer": "auth", "strip": "rewrite", "limit": "rate", "rate_limit": "rate", "per-client": "rate-each",
               "size": "body", "max-body": "body", "origins": "cors"},
)  # fmt: skip

HEALTH = Record(
    "health",
    "a health check",
    (Field("path", addresses.HEALTH_PATH, "GET of this path answers 2xx or 3xx; `tcp`: it connects.", required=True,
           example="/health"),),
    "/health",
    short="path",
)  # fmt: skip

SLO = Record(
    "slo",
    "an objective",
    (
        Field("availability", figures.AVAILABILITY, "The share of requests that succeed, as `99.9%`."),
        Field("latency", Forms(figures.LATENCY, figures.LATENCY_LONG), "As `99% < 300 ms`."),
    ),
    "{ availability: 99.9%, latency: 99% < 300 ms }",
)

SERVICE = Record(
    "service",
    "a service",
    (
        Field("image", sources.IMAGE, "A name with a tag or a digest. Either this or `build`."),
        Field("build", sources.BUILD, "A folder with a Containerfile, relative to the manifest's. Or `image`."),
        Field("port", figures.PORT, "Where it listens, and the port of its internal name; absent: it is a worker."),
        Field("protocol", names.PROTOCOL, "What it speaks on its port.", default="http"),
        Field("health", HEALTH, "A path, or `tcp`; absent: GET of the route's path where routed, else TCP."),
        Field("size", sizes.SIZE, "What an instance gets; sizes that Fargate offers. Absent: 0.25 CPU, 512 MB."),
        Field("instances", Forms(elasticity.INSTANCES, elasticity.INSTANCES_LONG),
              "The contracted base .. the end of the elastic range, as `2..8`; or one number.", default=1),
        Field("scale", Forms(elasticity.SCALE, elasticity.SCALE_LONG), "What it follows: `50 requests` or `60% cpu`."),
        Field("route", ROUTE, "What the gateway sends to it; absent: nothing, it is internal."),
        Field("reaches", ListOf("a list of names", names.NAME, MOST_REACHES, twice="once is enough"),
              "The services and destinations that it may call. What is not here is blocked."),
        Field("env", MapOf("a variable", names.VARIABLE, names.VALUE, MOST_VARIABLES, 'Write "" for an empty text.'),
              "Variables, as text. Secrets never stand here."),
        Field("secrets", MapOf("a secret", names.SECRET_PLACE, names.SECRET, MOST_VARIABLES, "Name the secret."),
              "Variables, or files as /run/secrets/NAME, that hold a secret, by its name."),
        Field("deploy", names.STRATEGY, "How a new version takes over.", default="rolling"),
        Field("slo", SLO, "Objectives that the service is measured by."),
        Field("command", Forms(sources.COMMAND, ListOf("a command", sources.WORD, 100, least=1, alone=False)),
              "Instead of the image's own; a line or a list of words."),
        Field("user", names.USER, "`UID`, `UID:GID` or a name in the image; absent: the image's own."),
        Field("timeout", figures.TIMEOUT, "The longest that the balancer waits for an answer.", default="30 s"),
        Field("stop", figures.STOP, "The grace from SIGTERM to SIGKILL.", default="10 s"),
        Field("start", figures.START, "The grace before failed health counts against a new instance.", default="10 s"),
        Field("writable", ListOf("a list of folders", addresses.WRITABLE, 16, twice="once is enough"),
              "Folders of the instance's own, in memory; the rest is read-only. Absent: [/tmp]."),
    ),
    "{ image: accounts:1.4.2, port: 8080 }",
    elsewhere={
        "ports": "port", "expose": "port", "listen": "port",
        "replicas": "instances", "count": "instances", "range": "instances", "desired": "instances",
        "depends_on": "reaches", "reach": "reaches", "calls": "reaches", "uses": "reaches", "links": "reaches",
        "environment": "env", "variables": "env", "envs": "env", "secret": "secrets",
        "healthcheck": "health", "health_check": "health", "probe": "health", "livenessprobe": "health",
        "resources": "size", "cpu": "Write it as `size: { cpu: … }`.", "memory": "Write it as `size: { memory: … }`.",
        "autoscale": "scale", "autoscaling": "scale", "scaling": "scale",
        "path": "route", "routes": "route", "ingress": "route", "url": "route",
        "entrypoint": "command", "cmd": "command", "args": "command",
        "volumes": "writable", "tmpfs": "writable", "strategy": "deploy", "slos": "slo",
        "stop_grace_period": "stop", "grace": "stop", "context": "build", "dockerfile": "build",
        "auth": "Write it in the route: `route: { path: …, auth: … }`.",
        "zones": "Zones are the environment's: move it there.",
        "egress": "Egress is the environment's: move it there.",
        "name": "The key above it is the name already: remove it.",
    },
)  # fmt: skip

DESTINATION = Record(
    "destination",
    "a destination",
    (
        Field("to", addresses.TO, "host:port, address:port or CIDR:port.", required=True,
              example="api.exchange.example:443"),
        Field("link", names.NAME, "The link that it lies behind."),
        Field("protocol", names.PROTOCOL, "What it speaks.", default="tcp"),
    ),
    "api.exchange.example:443, or { to: 10.20.4.17:8443, link: core }",
    short="to",
    elsewhere={"host": "to", "address": "to", "cidr": "to", "url": "to", "via": "link",
               "port": "Write it behind the host: `to: HOST:PORT`."},
)  # fmt: skip

INCOMING = Record(
    "incoming",
    "what may come in",
    (
        Field("from", ListOf("a list of networks", addresses.CIDR, MOST_NETWORKS, least=1, twice="once is enough"),
              "Where it may begin, as CIDR: within the link's networks.", required=True, example="[10.20.4.0/24]"),
        Field("at", figures.PORT, "The port that the other side dials; absent: the service's own."),
    ),
    "{ from: [10.20.4.0/24], at: 8443 }",
    short="from",
    elsewhere={"port": "at", "on": "at", "source": "from", "sources": "from", "networks": "from", "allow": "from",
               "to": "The key above it is the service that answers: remove it."},
)  # fmt: skip

LINK = Record(
    "link",
    "a link",
    (
        Field("peer", addresses.PEER, "The other side's public address.", required=True, example="203.0.113.10"),
        Field("networks", ListOf("a list of networks", addresses.CIDR, MOST_NETWORKS, least=1, twice="once is enough"),
              "What lies behind it, as CIDR.", required=True, example="[10.20.0.0/16]"),
        Field("seen-as", addresses.CIDR, "The only source addresses that the other side sees; a /28 for each zone."),
        Field("secret", ListOf("a pair of keys", names.SECRET, TUNNELS, least=TUNNELS, alone=False,
                               example="[vpn-1, vpn-2]",
                               twice="each tunnel has a key of its own"),
              "A pre-shared key for each of the two tunnels, by name; or `certificate`."),
        Field("certificate", names.CERTIFICATE, "In the place of keys: the ARN of the other side's certificate in ACM, "
              "of AWS Private CA; or `rehearsal`."),
        Field("incoming", MapOf("a service", names.NAME, INCOMING, MOST_INCOMING,
                                "Say from where it may be opened, or remove it.", whole=True),
              "The services that the other side may open; it dials an address in each zone's share of `seen-as`. "
              "Absent: nothing comes in."),
        Field("bgp", asn.ASN, "The other side's AS number: both sides announce their networks by BGP. Absent: static "
              "routes."),
    ),
    "{ peer: 203.0.113.10, networks: [10.20.0.0/16], secret: [vpn-1, vpn-2] }",
    elsewhere={"certificates": "certificate", "cert": "certificate", "arn": "certificate",
               "seen_as": "seen-as", "secrets": "secret", "keys": "secret", "psk": "secret", "network": "networks",
               "cidr": "networks", "routes": "networks", "gateway": "peer", "address": "peer",
               "inbound": "incoming", "ingress": "incoming", "admits": "incoming", "services": "incoming",
               "asn": "bgp", "as": "bgp", "bgp-asn": "bgp", "routing": "bgp"},
)  # fmt: skip

ISSUER = Record(
    "issuer",
    "an issuer",
    (
        Field("issuer", names.ISSUER, "The address at which it publishes its keys.", required=True,
              example="https://id.bank.example"),
        Field("audience", names.AUDIENCE, "What its tokens say in `aud`.", required=True, example="bank"),
        Field("keys", sources.KEYS, "A file with its public keys (JWKS), relative to the manifest: for a rehearsal, or "
              "an issuer that cannot be reached. Without it the twin fetches them."),
    ),
    "{ issuer: https://id.bank.example, audience: bank }",
    elsewhere={"url": "issuer", "aud": "audience", "jwks": "keys", "key": "keys"},
)  # fmt: skip

SERVICES = MapOf("a service", names.FREE_NAME, SERVICE, MOST_SERVICES, "Give it an image or a build, or remove it.")
_COMMON = (
    Field("production", names.FLAG, "Then: two zones or more, and a base of 2 or more.", default=False),
    Field("region", names.REGION, "Where it runs on AWS."),
    Field("recovery", names.REGION, "Where backups are copied to; another region."),
    Field("account", names.ACCOUNT, "The AWS account of its own: 12 digits in quotes."),
    Field("domain", names.DOMAIN, "The DNS name of its gateway."),
    Field("network", addresses.NETWORK, "Its private network, a /16 to a /22; absent: allocated."),
    Field("zones", figures.ZONES, "How many zones, 1 to 4.", default=1),
    Field("egress", names.EGRESS, "How it leaves to the internet: from no fixed address, one, or one for each zone.",
          default="none"),
    Field("agreed", figures.AVAILABILITY, "The availability level agreed with the client, as `99.9%`."),
    Field("auth", MapOf("an issuer", names.NAME, ISSUER, 100, "Give it an issuer and an audience, or remove it."),
          "Issuers of tokens, by name."),
    Field("destinations", MapOf("a destination", names.FREE_NAME, DESTINATION, MOST_DESTINATIONS,
                                "Say where it is, as HOST:PORT, or remove it."),
          "Places outside, by name."),
    Field("services", SERVICES, "The microservices, by name."),
)  # fmt: skip
_LINKS = Field("links", MapOf("a link", names.NAME, LINK, MOST_LINKS, "Give it a peer, or remove it.", whole=True),
               "Site-to-site IPsec, two tunnels each, by name.")  # fmt: skip
_ELSEWHERE = {
    "availability": "agreed", "sla": "agreed", "az": "zones", "availability_zones": "zones", "cidr": "network",
    "vpc": "network", "nat": "egress", "vpn": "links", "issuers": "auth", "prod": "production",
    "microservices": "services",
}  # fmt: skip

ENVIRONMENT = Record(
    "environment", "an environment", (*_COMMON, _LINKS), "{ zones: 2 }",
    elsewhere={**_ELSEWHERE, "client": "The client is common to all environments: move it to the top."},
)  # fmt: skip

ROOT = Record(
    "manifest",
    "a manifest",
    (
        Field("anden", figures.VERSION, "The version of the manifest: 1.", required=True, example="1"),
        Field("client", names.NAME, "Whose it is; absent: the folder's name."),
        Field("environments", MapOf("an environment", names.NAME, ENVIRONMENT, MOST_ENVIRONMENTS, "",
                                    deferred=True),
              "By name; each may override anything that stands beside this key. Absent: one, `dev`."),
        *_COMMON,
    ),
    "`anden: 1` and `services:`",
    elsewhere={**_ELSEWHERE, "version": "anden", "name": "client", "envs": "environments", "stages": "environments",
               "links": "Links are an environment's: move it to `environments/NAME/links`."},
)  # fmt: skip
