"""The HTTP edge: the Kubernetes API over TLS, a thin translation to registry calls."""
