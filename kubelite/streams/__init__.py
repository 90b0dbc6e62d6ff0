"""Streaming subresources of pods: exec, attach, port-forward and log, over WebSocket and SPDY/3.1."""
