"""Which ids of the machine an instance's users are: the one user namespace map that images and instances share.

Images are unpacked with this map, so that their files belong to the ids that an instance's users really are; an
instance runs in a user namespace with the same map, so that its root is nobody special outside.
"""

UID_BASE = 100_000
"""The machine's user and group id that id 0 in an instance is. The first subordinate range that Debian hands out."""
UID_COUNT = 65_536
"""How many ids an instance has: 0 to 65535, among them `nobody` (65534)."""
