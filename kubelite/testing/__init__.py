"""kubelite in test-suites: `cluster.Cluster` by itself, `plugin` for pytest's fixtures.

The plugin is loaded by every pytest run of an environment that has kubelite: whatever it imports at its top has to be
as good as free.
"""
