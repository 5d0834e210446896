"""The resolver of a cell as dnsmasq's configuration and hosts file: internal names, and nothing else.

It has no upstream. `SERVICE` and `SERVICE.internal` answer with the internal name's address; whatever else is asked
for does not exist (NXDOMAIN), at once, and the question never leaves the cell. Where a name has several addresses, an
answer holds all of them, each time another one first: dnsmasq does so by itself.
"""

from anden.model.configuration import Configuration

DOMAIN = "internal"
PORT = 53
NOBODY = "nobody"
"""dnsmasq reads what instances send it; it does so as nobody, in nobody's group."""
NOGROUP = "nogroup"


def config(configuration: Configuration, hosts_file: str, user: str = NOBODY) -> str:
    """dnsmasq.conf. hosts_file: absolute path of what `hosts` gives, readable by `user`; read again on SIGHUP."""
    return "\n".join(
        [
            f"listen-address={configuration.layout.resolver}",
            "bind-interfaces",
            f"port={PORT}",
            f"user={user}",
            f"group={NOGROUP}",
            "no-resolv",
            "no-poll",
            "no-hosts",
            f"addn-hosts={hosts_file}",
            "# Every name that the hosts file does not hold: NXDOMAIN.",
            "address=/#/",
            f"local-ttl={configuration.manners.name_ttl_s}",
            f"neg-ttl={configuration.manners.name_ttl_s}",
            "no-negcache",
            "",
        ]
    )


def hosts(configuration: Configuration) -> str:
    """The hosts file: one line for each address of an internal name."""
    lines = [
        f"{address} {backend.service} {backend.service}.{DOMAIN}"
        for backend in configuration.backends
        for address in backend.addresses
    ]
    return "\n".join([*lines, ""])
