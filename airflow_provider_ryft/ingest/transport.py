"""One POST to one address: bounded in time whatever the server does, and the token to that address only.

What :mod:`requests` does by default would break both promises: a read timeout starts anew with each byte, its retries
obey a ``Retry-After`` of hours, and it follows a redirect with the token to any host and with the body to none.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse, RemoteDisconnected
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidProxyURL, InvalidSchema, InvalidURL, ProxyError
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import DecodeError, HTTPError, ProxySchemeUnknown

from airflow_provider_ryft import __version__
from airflow_provider_ryft.exceptions import ConfigurationError, RyftError

USER_AGENT = f"airflow-provider-ryft/{__version__}"
TOKEN_HEADER = "X-Ryft-Token"  # noqa: S105  # its name, not a token

_MESSAGE_LENGTH = 500
_BODY_LENGTH = 1 << 16
_HOST_LENGTH = 253


@dataclass(frozen=True)
class Response:
    """What the server said.

    :param status: the HTTP status
    :param message: the beginning of the body as one line of text, without the token should the server repeat it
    :param retry_after: seconds that the server wants to be left alone for
    :param is_html: whether the body is a page for people, which an API does not send
    :param location: where a redirect points to: scheme and host only
    """

    status: int
    message: str = ""
    retry_after: float | None = None
    is_html: bool = False
    location: str = ""


class NoResponseError(RyftError):  # named after what happened
    """The server did not answer.

    :param kind: ``timeout``, ``name``, ``tls``, ``proxy`` or ``connection``
    :param message: what happened, as the middle of a sentence
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[type[NoResponseError], tuple[str, str]]:
        """Let the error cross a process boundary, which calls the constructor with ``args`` otherwise."""
        return type(self), (self.kind, str(self))


class SecretStr(str):
    """Text that a traceback with local variables, or the ``repr`` of a dict of headers, does not show."""

    __slots__ = ()

    @classmethod
    def stripped(cls, text: object) -> SecretStr:
        """Take the white space off a secret that was pasted with it; what is not text is empty."""
        return cls(text.strip()) if isinstance(text, str) else cls()

    def __repr__(self) -> str:
        return "'***'"


class Transport:
    """Posts JSON to one address of one server; see :class:`~airflow_provider_ryft.ingest.client.IngestClient`.

    :param token: the ingest token, hidden already
    :param base_url: the server's address, hidden as well, to which ``path`` is added
    :param path: the API's own path
    :param timeout: seconds for opening a connection, and between two bytes of an answer
    :param verify: whether to check the server's certificate, or the path of a CA bundle
    :param proxies: proxy by scheme; the environment's when empty
    :param allow_http: send the token over plain http to other machines
    :raises ConfigurationError: for a token or an address that cannot be used
    """

    def __init__(
        self,
        token: SecretStr,
        base_url: SecretStr,
        path: str,
        *,
        timeout: tuple[float, float],
        verify: bool | str,
        proxies: Mapping[str, str],
        allow_http: bool,
    ) -> None:
        self._token = _checked_token(token)
        address = _checked_address(base_url)
        # The API's page shows the whole address only, so that is what gets pasted.
        self.base_url = address.geturl().rstrip("/").removesuffix(path).rstrip("/")
        self.url = self.base_url + path
        if isinstance(verify, str) and not os.path.exists(verify):
            raise ConfigurationError(f"verify names a CA bundle that is not there: {verify!r}")
        local = _is_loopback(address.hostname)
        if address.scheme == "http" and not allow_http and (proxies or not local):
            reader = "the proxy" if local else "anybody on the way"
            raise ConfigurationError(
                f"The token would go to {self.base_url} over plain http, where {reader} can read it. Use https, or say "
                "allow_http if you know what you do."
            )
        self._proxies: dict[str, str] = dict(proxies)
        if local and not proxies:
            # A proxy of the environment can't reach this machine's own loopback, but would see the token.
            self._proxies["no_proxy"] = address.hostname or ""
        self._timeout = timeout
        self._verify = verify
        self._session: requests.Session | None = None
        self._pid = os.getpid()

    def post(self, body: bytes, seconds: float) -> Response:
        """Post a JSON body and return the answer.

        The request runs in a thread of its own, because nothing else bounds all of it: looking up a name, a proxy, a
        handshake, and headers that come byte by byte.

        :param body: JSON
        :param seconds: bound of the whole request
        :raises NoAnswer: if there was none
        """
        if self._pid != os.getpid():  # a fork: the connection is the parent's
            self._session, self._pid = None, os.getpid()
        session = self._session = self._session or self._open()
        request = _Request(self, session, body)
        threading.Thread(target=request.run, name="ryft-post", daemon=True).start()
        try:
            # Not Thread.join(): interrupted by a signal, it takes a running thread for one that has ended.
            request.has_ended.wait(min(seconds, threading.TIMEOUT_MAX))
        finally:  # also when a task's own time-out or a signal ends the wait
            if not request.has_ended.is_set():
                self._session = None
                request.give_up(seconds)
                _hang_up(session)
        return request.outcome()

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            _close(self._session)
            self._session = None

    def _open(self) -> requests.Session:
        session = _Session()
        session.auth = _no_auth
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(max_retries=0, pool_maxsize=1))
        return session


class _Session(requests.Session):
    """A session that does not look where a redirect points to.

    The usual one does, even when it is not to follow: it reads all of the answer, and fails at an address that is none.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002  # the base class's name
        return None


class _Request:
    """One request in its thread, and what is known of it so far."""

    def __init__(self, transport: Transport, session: requests.Session, body: bytes) -> None:
        self._transport = transport
        self._session = session
        self._body = body
        self._answer: Response | None = None
        self._error: NoResponseError | None = None
        self._timeout: NoResponseError | None = None
        self.has_ended = threading.Event()

    def run(self) -> None:
        try:
            self._post()
        except NoResponseError as error:
            self._error = error
        except requests.RequestException as error:
            self._error = _no_answer(error)
        except OSError:  # what requests raises before it does anything
            bundle = "verify, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE"
            self._error = NoResponseError("tls", f"the CA bundle to check its certificate with is not there ({bundle})")
        except Exception as error:  # a driver's bug is an answer that did not come, not a thread that dies unseen
            self._error = NoResponseError("connection", f"the request failed with {type(error).__name__}")
        finally:
            self.has_ended.set()

    def _post(self) -> None:
        transport = self._transport
        headers = {
            TOKEN_HEADER: transport._token,
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }
        with self._session.post(
            transport.url,
            data=self._body,
            headers=headers,
            timeout=transport._timeout,
            verify=transport._verify,
            proxies=dict(transport._proxies),  # requests adds the environment's
            allow_redirects=False,
            stream=True,
        ) as response:
            self._answer = _read(response, transport._token)

    def give_up(self, seconds: float) -> None:
        """Settle that there is no answer, before hanging up makes one of half an answer, or of a broken connection."""
        self._timeout = NoResponseError("timeout", f"it did not answer within {seconds:.3g} seconds")

    def outcome(self) -> Response:
        """Return the answer, once the request has ended or was given up."""
        if self._answer is not None and self._timeout is None:
            return self._answer
        raise self._timeout or self._error or NoResponseError("connection", "the request ended without an outcome")


def _read(response: requests.Response, token: str) -> Response:
    """Read an answer; a 2xx counts only when it has arrived whole, because a broken one confirms nothing."""
    body = b""
    broken = False
    try:
        body = response.raw.read(_BODY_LENGTH, decode_content=True)
        broken = len(body) < _BODY_LENGTH and bool(response.raw.length_remaining)
    except DecodeError:
        pass  # it arrived, as garbage
    except (HTTPError, OSError):
        broken = True
    if broken and 200 <= response.status_code < 300:
        raise NoResponseError("connection", "the connection broke in the middle of its answer")
    is_html = "html" in response.headers.get("Content-Type", "").lower() and body.lstrip().startswith(b"<")
    return Response(
        status=response.status_code,
        message="(an HTML page)" if is_html else _message(body, token),
        retry_after=retry_after(response.headers.get("Retry-After")),
        is_html=is_html,
        location=_location(response.headers.get("Location", ""), token),
    )


def retry_after(value: str | None) -> float | None:
    """Read a ``Retry-After`` header (RFC 9110, 10.2.3): seconds or a date; nonsense is ``None``, the past is 0."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,12}", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def _checked_token(token: SecretStr) -> SecretStr:
    """Return a token that can be sent; no error says what it is."""
    if not token:
        raise ConfigurationError("The ingest token is empty, or no text. Put the token that Ryft gave you there.")
    if not re.fullmatch(r"[!-~]+", token):
        raise ConfigurationError(
            "The ingest token holds a character that no token has (white space inside, or not ASCII). Copy it anew."
        )
    return token


def _checked_address(text: SecretStr) -> SplitResult:
    """Split the base address; complete it with https where it has no scheme."""
    if re.search("[@?#]", text):  # there may be a password in it: this error, and its local variables, don't show it
        raise ConfigurationError(
            "The address may have a scheme, a host, a port and a path only: no user, password, query or fragment."
        )
    try:
        address = urlsplit(text if "://" in text else f"https://{text}")
        usable = bool((address.hostname or "").encode("idna")) and (address.port is None or address.port > 0)
    except ValueError:  # a port that is no number, an IPv6 address without its bracket, a name with two dots in a row
        usable = False
    if not usable or re.search(r"[\s\\]", text) or address.scheme not in ("http", "https"):
        raise ConfigurationError(
            f"{str(text)!r} is not an address. Allowed: https://host, with a port and a path if needed, such as "
            "https://ingest.ryft.io"
        )
    return address


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep requests from adding what a ``.netrc`` says of the host."""
    return request


def _message(body: bytes, token: str) -> str:
    text = " ".join(body.decode("utf-8", "replace").split())
    text = "".join(character for character in text if character.isprintable()).replace(token, "***")
    return text if len(text) <= _MESSAGE_LENGTH else f"{text[:_MESSAGE_LENGTH]}…"


def _location(value: str, token: str) -> str:
    """Reduce a ``Location`` to scheme and host: the rest may repeat what was sent."""
    try:
        address = urlsplit(value)
        host = address.hostname
    except ValueError:
        return ""
    if not host or len(host) > _HOST_LENGTH or not host.isprintable() or token.lower() in host:
        return ""
    return f"{address.scheme}://{host}" if address.scheme else host


def _no_answer(error: requests.RequestException) -> NoResponseError:
    """Say in our own words what happened: the library's carry addresses of proxies with their passwords."""
    causes = _causes(error)
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if isinstance(error, (ProxyError, InvalidProxyURL, InvalidSchema)) or any(
        isinstance(cause, ProxySchemeUnknown) for cause in causes
    ):
        status = re.search(r"Tunnel connection failed: ([0-9]{3})", " ".join(map(str, causes)))
        return NoResponseError("proxy", f"the proxy answered {status[1]}" if status else "the proxy could not be used")
    if tls is not None or isinstance(error, requests.exceptions.SSLError):
        reason = getattr(tls, "verify_message", None) or getattr(tls, "reason", None) or "unknown reason"
        return NoResponseError("tls", f"the TLS handshake failed ({reason})")
    if isinstance(error, InvalidURL) or any(isinstance(cause, socket.gaierror) for cause in causes):
        return NoResponseError("name", "its name could not be looked up")
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return NoResponseError("timeout", "it did not accept a connection in time")
    if isinstance(error, requests.exceptions.Timeout):
        return NoResponseError("timeout", "it accepted the connection and did not answer in time")
    reason = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    if reason is None and any(map(_is_garbage, causes)):
        reason = "what it answered is not HTTP"
    return NoResponseError("connection", f"the connection failed ({reason or 'it was closed without an answer'})")


def _is_garbage(cause: BaseException) -> bool:
    return isinstance(cause, HTTPException) and not isinstance(cause, RemoteDisconnected)


def _causes(error: BaseException) -> list[BaseException]:
    """Collect what led to an error: urllib3 keeps it in ``args`` and ``reason``, Python in ``__cause__``."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting and len(found) < 50:
        candidate = waiting.pop(0)
        if isinstance(candidate, BaseException) and candidate not in found:
            found.append(candidate)
            waiting += [*candidate.args, getattr(candidate, "reason", None), candidate.__cause__, candidate.__context__]
    return found


class _Handle:
    """Mixin of a connection: a second handle on its socket, so that another thread can hang up at any moment.

    The connection's own attribute will not do: it is not set while a name is looked up, stands for nothing during a TLS
    handshake, and is cleared before the body of an answer is read that ends the connection.
    """

    _handle: socket.socket | None = None
    _is_hung_up = False

    def _new_conn(self) -> Any:
        opened = super()._new_conn()  # type: ignore[misc]
        self.release()
        self._handle = opened.dup()
        if self._is_hung_up:
            self.abort()
        return opened

    def abort(self) -> None:
        """End what the connection does now, and whatever it begins."""
        self._is_hung_up = True
        handle = self._handle
        if handle is not None:
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Close the second handle."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


class _Lines:
    """A file of lines that remembers the last one."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        self.last = self._file.readline(limit)
        return self.last

    def close(self) -> None:
        self._file.close()


class _WholeHead(HTTPResponse):
    """An answer whose head must end with its empty line; the usual one takes a lost connection for the end as well."""

    def begin(self) -> None:
        file = self.fp
        lines = self.fp = _Lines(file)  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            self.fp = self.fp and file  # it is None where the answer was no HTTP
        if not lines.last:
            raise RemoteDisconnected("in the middle of the head")


class _HTTPHandle(_Handle, HTTPConnection):
    response_class = _WholeHead


class _HTTPSHandle(_Handle, HTTPSConnection):
    response_class = _WholeHead


class _LastConnection:
    """Mixin of a connection pool: knows the connection in use."""

    in_use: _Handle | None = None

    def _get_conn(self, timeout: float | None = None) -> Any:
        before, self.in_use = self.in_use, super()._get_conn(timeout)  # type: ignore[misc]
        if before is not None and before is not self.in_use:
            before.release()
        return self.in_use


class _HTTPPool(_LastConnection, HTTPConnectionPool):
    ConnectionCls = _HTTPHandle


class _HTTPSPool(_LastConnection, HTTPSConnectionPool):
    ConnectionCls = _HTTPSHandle


class _Adapter(HTTPAdapter):
    """An adapter that never retries, and whose pools can be hung up."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self.poolmanager.pool_classes_by_scheme
        return manager


def _hang_up(session: requests.Session) -> None:
    """End a request that is still running in its thread: without this a server that drips keeps the thread for ever."""
    for connection in _in_use(session):
        connection.abort()
    _close(session)


def _close(session: requests.Session) -> None:
    """Close a session with the second handles, which urllib3 knows nothing of."""
    connections = _in_use(session)
    with suppress(Exception):  # of another thread that uses it still
        session.close()
    for connection in connections:
        connection.release()


def _in_use(session: requests.Session) -> list[_Handle]:
    """Return the connections of a session that are in use, or were last."""
    found: list[_Handle] = []
    for adapter in session.adapters.values():
        if not isinstance(adapter, _Adapter):
            continue
        for manager in (adapter.poolmanager, *adapter.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118  # a container of urllib3's own, not iterable itself
                with suppress(Exception):  # of another thread that opens one now
                    found.append(manager.pools[key].in_use)
    return [connection for connection in found if connection is not None]
