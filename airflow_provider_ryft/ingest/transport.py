"""One POST to one address: bounded in time whatever the server does, and the token to that address only.

What :mod:`requests` does by default would break both promises: a read timeout starts again with each byte, its retries
obey a ``Retry-After`` of hours, and it follows a redirect with the token to any host and with the body to none.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, TimeoutError as FutureTimeoutError
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
_JSON = "application/json"


class Transport:
    """Posts JSON to one address of one server.

    For the other options see :class:`~airflow_provider_ryft.ingest.client.IngestClient`.

    :param path: the API's own path, which is added to ``base_url``
    :param timeout: seconds for opening a connection, and between two bytes of an answer
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
        answer: Future[Response] = Future()
        post = partial(self._post, session, body)
        threading.Thread(target=_settle, args=(answer, post), name="ryft-post", daemon=True).start()
        try:
            return answer.result(min(seconds, threading.TIMEOUT_MAX))
        except FutureTimeoutError:  # whatever an abort makes of half an answer, or of a broken connection
            raise NoResponseError("timeout", f"it did not answer within {seconds:.3g} seconds") from None
        finally:  # also when a task's own time-out or a signal ends the wait
            if not answer.done():
                self._session = None
                session.abort()

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _post(self, session: requests.Session, body: bytes) -> Response:
        headers = {TOKEN_HEADER: self._token, "Content-Type": _JSON, "Accept": _JSON, "User-Agent": USER_AGENT}
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


def _settle(answer: Future[Response], post: Callable[[], Response]) -> None:
    """Send a request, in a thread of its own, and settle what the caller waits for."""
    try:
        answer.set_result(post())
    except NoResponseError as error:
        answer.set_exception(error)
    except requests.RequestException as error:
        answer.set_exception(no_response(error))
    except OSError:  # what requests raises before it does anything
        bundle = "verify, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE"
        reason = f"the CA bundle to check its certificate with is not there ({bundle})"
        answer.set_exception(NoResponseError("tls", reason))
    except BaseException as error:  # a library's bug is an answer that did not come, not a thread that dies unseen
        answer.set_exception(NoResponseError("connection", f"the request failed with {type(error).__name__}"))
