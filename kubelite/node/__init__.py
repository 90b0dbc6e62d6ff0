"""The kubelet: pods bound to this node become sandboxes and containers; engine events become pod status."""
