"""A :mod:`requests` session that another thread can abort, and that sends nothing that it was not asked to send."""

from __future__ import annotations

import socket
from contextlib import suppress
from http.client import HTTPResponse, RemoteDisconnected
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class AbortableSession(requests.Session):
    """A session of one connection, which never retries, and adds no login of a ``.netrc``."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = lambda request: request  # without it, requests adds what a .netrc says of the host
        self._adapter = _Adapter(max_retries=0, pool_maxsize=1)
        for scheme in ("http://", "https://"):
            self.mount(scheme, self._adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Do not look where a redirect points to, which would read all of the answer, and fail where it is none."""

    def abort(self) -> None:
        """End a request that is still running in its thread: a server that drips would keep the thread without end."""
        for connection in self._in_use():
            connection.abort()
        self.close()

    def close(self) -> None:
        """Close the session with the second handles, which urllib3 knows nothing of."""
        connections = self._in_use()
        with suppress(Exception):  # of another thread that still uses it
            super().close()
        for connection in connections:
            connection.release()

    def _in_use(self) -> list[_Abortable]:
        """Return the connections that are in use, or were last."""
        found: list[_Abortable] = []
        for manager in (self._adapter.poolmanager, *self._adapter.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118  # a container of urllib3's own, not iterable itself
                with suppress(Exception):  # of another thread that opens one now
                    found.append(manager.pools[key].in_use)
        return [connection for connection in found if connection is not None]


class _Abortable:
    """Mixin of a connection: a second handle on its socket, so that another thread can end it at any moment.

    The connection's own attribute will not do: it is not set while a name is looked up, is of no use during a TLS
    handshake, and is cleared before the body of an answer is read that ends the connection.
    """

    _handle: socket.socket | None = None
    _is_aborted = False

    def _new_conn(self) -> Any:
        opened = super()._new_conn()  # type: ignore[misc]
        self.release()
        self._handle = opened.dup()
        if self._is_aborted:
            self.abort()
        return opened

    def abort(self) -> None:
        """End what the connection does now, and whatever it begins."""
        self._is_aborted = True
        handle = self._handle
        if handle is not None:
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Close the second handle."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


class _LineReader:
    """A file of lines that remembers the last one."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last = self._file.readline(limit)
        return self.last

    def close(self) -> None:
        self._file.close()


class _CompleteHeadResponse(HTTPResponse):
    """An answer whose head must end with its empty line; the usual one takes a lost connection for the end as well."""

    def begin(self) -> None:
        file = self.fp
        lines = self.fp = _LineReader(file)  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            self.fp = self.fp and file  # it is None where the answer was no HTTP
        if not lines.last:
            raise RemoteDisconnected("in the middle of the head")


class _AbortableHTTPConnection(_Abortable, HTTPConnection):
    response_class = _CompleteHeadResponse


class _AbortableHTTPSConnection(_Abortable, HTTPSConnection):
    response_class = _CompleteHeadResponse


class _RemembersConnection:
    """Mixin of a connection pool: knows the connection in use."""

    in_use: _Abortable | None = None

    def _get_conn(self, timeout: float | None = None) -> Any:
        before, self.in_use = self.in_use, super()._get_conn(timeout)  # type: ignore[misc]
        if before is not None and before is not self.in_use:
            before.release()
        return self.in_use


class _HTTPPool(_RemembersConnection, HTTPConnectionPool):
    ConnectionCls = _AbortableHTTPConnection


class _HTTPSPool(_RemembersConnection, HTTPSConnectionPool):
    ConnectionCls = _AbortableHTTPSConnection


class _Adapter(HTTPAdapter):
    """An adapter whose pools give abortable connections."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self.poolmanager.pool_classes_by_scheme
        return manager
