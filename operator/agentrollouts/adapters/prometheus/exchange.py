"""A synchronous HTTP exchange that another thread can end.

requests limits each single operation of a socket, so a server that sends one byte per second, even in the
headers, keeps a thread indefinitely. `prometheus` wraps each exchange in an `Exchange` and ends it at the
deadline. The connection that urllib3 picks for it registers its socket here just before it reads; shutting
that socket down wakes the thread.
"""

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

_thread: Final = threading.local()
"""Carries the thread's `Exchange` through requests and urllib3 to the connection that they pick."""


class Exchange:
    """One request and its answer. Entered in the thread that does it; ended from any other, at any time."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._is_over = False

    def __enter__(self) -> None:
        _thread.exchange = self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket = None  # it is in the pool again, and another's

    def begin_reading(self, sock: socket.socket) -> None:
        """Announce the socket. Either this finds that `end` came before, or `end` will find the socket.

        Raises:
            TimeoutError: the exchange was ended before it began to read.
        """
        self._socket = sock
        if self._is_over:
            raise TimeoutError

    def end(self) -> None:
        """Make the thread's waiting on the socket fail at once; does nothing after the exchange."""
        self._is_over = True
        sock = self._socket
        if sock is not None:
            with suppress(OSError):  # closed meanwhile
                socket.socket.shutdown(
                    sock, socket.SHUT_RDWR
                )  # not the method of TLS, which drops its state first


class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3 departs from http.client here itself
        _thread.exchange.begin_reading(self.sock)
        return super().getresponse()


class _TlsConnection(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as above
        _thread.exchange.begin_reading(self.sock)
        return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


POOLS: Final[Mapping[str, type[HTTPConnectionPool]]] = {"http": _Pool, "https": _TlsPool}
"""For urllib3's `pool_classes_by_scheme`: connections that announce themselves."""
