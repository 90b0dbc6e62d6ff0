"""The command line: what users type, and what they read. No logic of the cluster's own."""
