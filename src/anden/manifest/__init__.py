"""The manifest: text to topologies, or every problem in it; its JSON Schema; a first one for a folder."""

from anden.manifest.reading import Keys, Manifest, client_name, no_keys, read
from anden.manifest.scaffolding import Found, scaffold
from anden.manifest.schema import schema

__all__ = ["Found", "Keys", "Manifest", "client_name", "no_keys", "read", "scaffold", "schema"]
