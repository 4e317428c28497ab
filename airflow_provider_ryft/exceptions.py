"""All public exceptions.

.. code-block:: text

    RyftError
      InvalidQueryError         a query that the Ingest API would not take (also a ValueError)
      ConfigurationError        a token, an address or an option that cannot be used (also a ValueError)
      DeliveryError             queries that could not be delivered; they are good and should be kept
        ServerUnavailableError    the server could not take them now: try again later
        MisconfiguredError        the server will not take them without manual action
      RefusedQueriesError       the server took the rest, and refused these
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_ryft.results import PushResult


class RyftError(Exception):
    """Base of all errors that this package raises on purpose."""


class ConfigurationError(RyftError, ValueError):
    """A token, an address or an option that cannot be used."""


class InvalidQueryError(RyftError, ValueError):
    """A query that the Ingest API would not take.

    :param field: path of the field in the API's own spelling, such as ``context.queryType``; empty for the whole query
    :param problem: what is wrong with it and what is allowed
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field = field
        self.problem = problem

    def __reduce__(self) -> tuple[type[InvalidQueryError], tuple[str, str]]:
        """Let the error cross a process boundary, which calls the constructor with ``args`` otherwise."""
        return type(self), (self.field, self.problem)


class DeliveryError(RyftError):
    """Queries that could not be delivered; they are good and should be kept.

    The batch in which it happened is to be pushed again as a whole, though some of it may have been accepted: so the
    result counts these as accepted, and has no refused ones of that batch.

    :param message: what happened and what to do, without any secret
    :param result: what was delivered before it happened
    :param status: the HTTP status that decided it, where there was one
    """

    def __init__(self, message: str, result: PushResult | None = None, *, status: int | None = None) -> None:
        super().__init__(message)
        self.result = result
        self.status = status


class ServerUnavailableError(DeliveryError):
    """The server could not take the queries now: try again later.

    :param retry_after: seconds that the server asked to wait, if it did
    """

    def __init__(
        self,
        message: str,
        result: PushResult | None = None,
        *,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, result, status=status)
        self.retry_after = retry_after


class MisconfiguredError(DeliveryError):
    """The server will not take these queries without manual action (token, address, version)."""


class RefusedQueriesError(RyftError):
    """The server took the rest, and refused some queries for what they say.

    :param message: which ones and why, shortened
    :param result: what was accepted, and each refused query with the server's message
    """

    def __init__(self, message: str, result: PushResult) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[type[RefusedQueriesError], tuple[str, PushResult]]:
        """Let the error cross a process boundary, which calls the constructor with ``args`` otherwise."""
        return type(self), (str(self), self.result)
