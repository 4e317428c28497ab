"""Delivers queries to Ryft's Ingest API: in batches, within a deadline, with the token going nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from airflow_provider_ryft.exceptions import ConfigurationError, InvalidQueryError
from airflow_provider_ryft.ingest.endpoint import SecretStr
from airflow_provider_ryft.ingest.push import BatchLimits, Push
from airflow_provider_ryft.ingest.query import Query
from airflow_provider_ryft.ingest.responses import Response
from airflow_provider_ryft.ingest.transport import Transport
from airflow_provider_ryft.results import PushResult

PATH = "/ingest/push/queries"
DEFAULT_BASE_URL = "https://ingest.ryft.io"


class IngestClient:
    """Pushes queries to one Ingest API.

    Not for several threads at once. The connection is opened with the first push and kept; close it with :meth:`close`
    or use the client as a context manager. What it learns of the server's limits is in ``limits``.

    :param token: the ingest token; white space around it is stripped
    :param base_url: address of the API, such as ``https://ingest.ryft.io``; may have a path
    :param connect_timeout: seconds for opening a connection
    :param read_timeout: seconds between two bytes of an answer
    :param deadline: seconds for one batch, with its retries, halves and waits
    :param max_batch_count: queries in one request
    :param max_batch_bytes: bytes of one request's body; a query that is bigger than that goes alone
    :param verify: whether to check the server's certificate, or the path of a CA bundle to check it with
    :param proxies: proxy by scheme, as :mod:`requests` takes them; the environment's when not given
    :param allow_http: send the token over plain http to other machines, where anybody on the way can read it
    :raises ConfigurationError: for a token, an address or a limit that cannot be used
    """

    base_url: str = ""  # without the API's own path; there from the start for the sake of __repr__ in tracebacks

    def __init__(
        self,
        token: str,
        *,
        base_url: str = DEFAULT_BASE_URL,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        deadline: float = 60.0,
        max_batch_count: int = 500,
        max_batch_bytes: int = 1 << 20,
        verify: bool | str = True,
        proxies: Mapping[str, str] | None = None,
        allow_http: bool = False,
    ) -> None:
        # Before anything can be raised: a traceback may show local variables.
        token, base_url = SecretStr.stripped(token), SecretStr.stripped(base_url)
        proxies = {scheme: SecretStr(proxy) for scheme, proxy in (proxies or {}).items()}
        numbers = {
            "connect_timeout": connect_timeout,
            "read_timeout": read_timeout,
            "deadline": deadline,
            "max_batch_count": max_batch_count,
            "max_batch_bytes": max_batch_bytes,
        }
        for name, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
                raise ConfigurationError(f"{name} must be a number above 0, not {value!r}")
        self.limits = BatchLimits(deadline, max_batch_count, max_batch_bytes)
        self._transport = Transport(
            token,
            base_url,
            PATH,
            timeout=(connect_timeout, read_timeout),
            verify=verify,
            proxies=proxies,
            allow_http=allow_http,
        )
        self.base_url = self._transport.base_url

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    def __enter__(self) -> IngestClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next push opens a new one."""
        self._transport.close()

    def check(self, seconds: float) -> Response:
        """Send an empty batch, and return what the server says: no query is invented, nothing is stored.

        It is not tried again.

        :param seconds: how long to wait for the answer
        :raises NoResponseError: if there was none
        """
        return self._transport.post(b"[]", seconds)

    def push(self, queries: Iterable[Query], *, deadline: float | None = None) -> PushResult:
        """Deliver queries.

        The iterable is read batch by batch, so that a generator of a million never sits in memory.

        :param queries: what to deliver
        :param deadline: seconds for all of it; each batch has its own deadline when not given
        :return: what was accepted and refused, when each query was one of the two
        :raises ServerUnavailableError: when the server could not take a batch in time; what follows it was not sent
        :raises MisconfiguredError: when it will not take any without manual action; what follows was not sent
        :raises InvalidQueryError: for something else than a query; it and what precedes it in its batch was not sent
        """
        return self.push_lines(map(_encoded, queries), deadline=deadline)

    def push_lines(self, lines: Iterable[bytes], *, deadline: float | None = None) -> PushResult:
        """Deliver queries that are encoded already, see :meth:`push`.

        :param lines: each query as :meth:`Query.encode() <airflow_provider_ryft.ingest.query.Query.encode>` gives it
        """
        return Push(self._transport, self.limits, deadline).run(lines)


def _encoded(query: object) -> bytes:
    """Encode a query; text has a method of the same name, and would go out as nonsense."""
    if not isinstance(query, Query):
        problem = f"only a Query can be pushed, not {type(query).__name__}; Query.from_payload() reads a JSON object"
        raise InvalidQueryError("", problem)
    return query.encode()
