"""Manifests as people write them: read with positions, checked against the schema, turned into patches. Pure."""
