"""One POST to one address: bounded in time whatever the server does, and the token to that address only.

What :mod:`requests` does by default would break both promises: a read timeout starts again with each byte, its retries
obey a ``Retry-After`` of hours, and it follows a redirect with the token to any host and with the body to none.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

import requests

from airflow_provider_ryft import __version__
from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.ingest.abortable_session import AbortableSession
from airflow_provider_ryft.ingest.endpoint import SecretStr, checked_address, checked_token, is_loopback
from airflow_provider_ryft.ingest.network_errors import NoResponseError, no_response
from airflow_provider_ryft.ingest.responses import Response, read_response

USER_AGENT = f"airflow-provider-ryft/{__version__}"
TOKEN_HEADER = "X-Ryft-Token"  # noqa: S105  # its name, not a token


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
        self._token = checked_token(token)
        address = checked_address(base_url)
        # The API's page shows the whole address only, so that is what gets pasted.
        self.base_url = address.geturl().rstrip("/").removesuffix(path).rstrip("/")
        self.url = self.base_url + path
        if isinstance(verify, str) and not os.path.exists(verify):
            raise ConfigurationError(f"verify names a CA bundle that is not there: {verify!r}")
        local = is_loopback(address.hostname)
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
        self._session: AbortableSession | None = None
        self._pid = os.getpid()

    def post(self, body: bytes, seconds: float) -> Response:
        """Post a JSON body and return the answer.

        The request runs in a thread of its own, because nothing else bounds all of it: looking up a name, a proxy, a
        handshake, and headers that come byte by byte.

        :param body: JSON
        :param seconds: bound of the whole request
        :raises NoResponseError: if there was no answer
        """
        if self._pid != os.getpid():  # a fork: the connection is the parent's
            self._session, self._pid = None, os.getpid()
        session = self._session = self._session or AbortableSession()
        request = _Request(partial(self._post, session, body))
        threading.Thread(target=request.run, name="ryft-post", daemon=True).start()
        try:
            # Not Thread.join(): interrupted by a signal, it takes a running thread for one that has ended.
            request.has_ended.wait(min(seconds, threading.TIMEOUT_MAX))
        finally:  # also when a task's own time-out or a signal ends the wait
            if not request.has_ended.is_set():
                self._session = None
                request.give_up(seconds)
                session.abort()
        return request.outcome()

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _post(self, session: requests.Session, body: bytes) -> Response:
        headers = {
            TOKEN_HEADER: self._token,
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
        }
        response = session.post(
            self.url,
            data=body,
            headers=headers,
            timeout=self._timeout,
            verify=self._verify,
            proxies=dict(self._proxies),  # requests adds the environment's
            allow_redirects=False,
            stream=True,
        )
        try:
            return read_response(response, self._token)
        finally:
            with suppress(Exception):  # what was read counts, however its connection ends
                response.close()


class _Request:
    """One request in its thread, and what is known of it so far.

    :param post: sends it and returns the answer
    """

    def __init__(self, post: Callable[[], Response]) -> None:
        self._post = post
        self._answer: Response | None = None
        self._error: NoResponseError | None = None
        self._timeout: NoResponseError | None = None
        self.has_ended = threading.Event()

    def run(self) -> None:
        try:
            self._answer = self._post()
        except NoResponseError as error:
            self._error = error
        except requests.RequestException as error:
            self._error = no_response(error)
        except OSError:  # what requests raises before it does anything
            bundle = "verify, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE"
            self._error = NoResponseError("tls", f"the CA bundle to check its certificate with is not there ({bundle})")
        except Exception as error:  # a library's bug is an answer that did not come, not a thread that dies unseen
            self._error = NoResponseError("connection", f"the request failed with {type(error).__name__}")
        finally:
            self.has_ended.set()

    def give_up(self, seconds: float) -> None:
        """Decide that there is no answer, before an abort makes one of half an answer, or of a broken connection."""
        self._timeout = NoResponseError("timeout", f"it did not answer within {seconds:.3g} seconds")

    def outcome(self) -> Response:
        """Return the answer, once the request has ended or was given up."""
        if self._answer is not None and self._timeout is None:
            return self._answer
        raise self._timeout or self._error or NoResponseError("connection", "the request ended without an outcome")
