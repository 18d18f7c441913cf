"""Blocks every network socket but loopback in this process: put this folder first on PYTHONPATH.

Python imports `sitecustomize` by itself at start, so kernels and subprocesses of the tests are blocked as well.
"""

import socket

_connect, _connect_ex, _getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo
LOOPBACK = {"127.0.0.1", "::1", "localhost", "", None}


class NetworkBlocked(OSError):
    """Raised in place of a connection: the course has to work with the network off."""


def _check(host: object) -> None:
    if isinstance(host, bytes):
        host = host.decode()
    if host not in LOOPBACK and not str(host).startswith("127."):
        raise NetworkBlocked(f"the test suite runs with the network off; something asked for {host!r}")


def _guarded(connect):
    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _check(address[0])
        return connect(self, address)

    return guarded


def _resolve(host, *args, **kwargs):
    _check(host)
    return _getaddrinfo(host, *args, **kwargs)


socket.socket.connect, socket.socket.connect_ex = _guarded(_connect), _guarded(_connect_ex)
socket.getaddrinfo = _resolve
