"""On the path of a test's processes: whoever looks beyond this machine is refused, and noted in $NETWORK_LOG."""

import os
import socket
import sys
from pathlib import Path

_connect, _getaddrinfo = socket.socket.connect, socket.getaddrinfo
_HERE = (None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0", socket.gethostname())


def _refuse(where):
    with Path(os.environ["NETWORK_LOG"]).open("a") as file:
        file.write(f"{sys.argv} {where}\n")
    raise OSError(f"no network in this test: {where}")


def _connect_here(self, address):
    if self.family != socket.AF_UNIX and address[0] not in _HERE:
        _refuse(address)
    return _connect(self, address)


def _look_up_here(host, *rest, **more):
    if host not in _HERE:
        _refuse(host)
    return _getaddrinfo(host, *rest, **more)


socket.socket.connect, socket.getaddrinfo = _connect_here, _look_up_here
