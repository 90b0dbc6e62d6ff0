"""The built-in kinds' fields as data, and everything that is driven by it."""
