"""Images of the local engine: names and builds to digests, digests to unpacked file trees. No registry is asked.

An image that starts as root runs, but its root is an unprivileged id of the machine without any capability: one that
wants to drop privileges, to change owners or to mount fails there, though it would run on Fargate. A build runs its
`RUN` steps as root in a chroot on this machine: build only what you would also run as root.
"""

from anden.engines.local.images.catalog import LocalImages

__all__ = ["LocalImages"]
