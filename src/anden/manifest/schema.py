"""The JSON Schema of a manifest, for editors: made of the shapes that read it."""

from anden.manifest.grammar import ROOT
from anden.manifest.shape import Schema

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> Schema:
    """The schema, draft 2020-12. It knows keys and single values; what parts ask of each other is `anden check`'s."""
    definitions: Schema = {}
    ROOT.schema(definitions, partial=False)
    root = definitions.pop(ROOT.name)
    return {
        "$schema": DRAFT,
        "title": "anden manifest",
        "description": "Which microservices exist, how many instances each has, and who may talk to whom.",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }
