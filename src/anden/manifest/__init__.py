"""The manifest: text to topologies, or every problem in it; its JSON Schema; a first one for a folder."""

from anden.manifest.reading import Manifest, client_name, read
from anden.manifest.scaffolding import Found, scaffold
from anden.manifest.schema import schema

__all__ = ["Found", "Manifest", "client_name", "read", "scaffold", "schema"]
