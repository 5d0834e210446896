"""The other side of a link, as its device is configured. A module a device: pure text from what both sides agree on.

No key stands in any of it: where one belongs, its name does, in a comment, so that nothing rises before it is put in.
Every device answers and never starts, for only one side may. All of them offer a part of what the agreement holds, and
nothing that does not stand in it. strongSwan's and BIRD's are loaded in `tests/live`, and raise tunnels; the others
follow their vendors' manuals, which each names, and were on no device yet: their text says so.
"""

from anden.planning.devices import bird, cisco_ios, fortinet, palo_alto, strongswan
from anden.planning.devices.device import Device

DEVICES: dict[str, Device] = {
    each.name: each for each in (strongswan.DEVICE, bird.DEVICE, cisco_ios.DEVICE, fortinet.DEVICE, palo_alto.DEVICE)
}
"""By the name that `anden link config --device` takes."""
DEFAULT = strongswan.DEVICE.name

__all__ = ["DEFAULT", "DEVICES", "Device"]
