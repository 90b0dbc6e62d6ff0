"""The cluster's name server, run by the `kube-dns` pod as `python3 -m kubelite.net.dns`.

`source` follows the API and feeds `index`; `records` decides what a name answers; `message` speaks the wire
format; `resolver` joins them behind a cache; `server` and `forward` hold the sockets.
"""
