"""What a sandbox knows and remembers, apart from the sockets that it is reached through."""

from __future__ import annotations

import hmac
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.sandbox.faults import Faults
from airflow_provider_ryft.sandbox.store import Store

MAX_BODY = 10 << 20


@dataclass(frozen=True)
class Request:
    """A request to the Ingest API that the sandbox answered, or would not answer."""

    status: int | None  # of the answer; ``None`` if there was none, or only the beginning of a 200
    length: int  # bytes of the body
    queries: int  # how many queries it held


class SandboxState:
    """The token, the faults, the accepted queries, the size limit and the requests of a sandbox.

    :param token: the only token that is accepted; any that is not empty if not given
    :param db: file of the SQLite database that keeps what was accepted
    :param max_body: bytes of a request above which the answer is 413
    :param seed: of the chance in faults
    :param on_request: called after each request to the Ingest API
    :raises ConfigurationError: if the token is empty, or the file can't be used
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        db: str = ":memory:",
        max_body: int = MAX_BODY,
        seed: int = 0,
        on_request: Callable[[Request], None] | None = None,
    ) -> None:
        if token is not None and not token.strip():
            raise ConfigurationError("The token is empty. Leave it out to accept any.")
        self._token = token
        self._on_request = on_request
        self.max_body = max_body
        self.faults = Faults(seed)
        self.requests: deque[Request] = deque(maxlen=100_000)
        self.stopping = threading.Event()
        self.store = Store(db)

    @property
    def accepts_any_token(self) -> bool:
        """Whether any token is accepted that is not empty."""
        return self._token is None

    def accepts_token(self, token: str | None) -> bool:
        """Return whether a request with this token is accepted."""
        if self._token is None:
            return bool(token)
        return hmac.compare_digest((token or "").encode(), self._token.encode())

    def record_request(self, status: int | None, length: int, queries: int) -> None:
        """Record a request to the Ingest API, see :class:`Request`."""
        request = Request(status, length, queries)
        self.requests.append(request)
        if self._on_request is not None:
            self._on_request(request)

    def records(self) -> list[dict[str, Any]]:
        """Return the payloads that were accepted, in the order of their arrival."""
        return [query.record for query in reversed(self.store.latest())]

    def statuses(self) -> Counter[int | None]:
        """Return how often each status was answered."""
        return Counter(request.status for request in list(self.requests))
