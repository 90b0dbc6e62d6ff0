"""kube-proxy: keeps the kernel's rules like the API's Services and EndpointSlices. Runs in a pod on the host network."""
