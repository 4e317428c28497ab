"""What became of the queries of a push, and of those of an outbox."""

from __future__ import annotations

import json
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RefusedQuery:
    """A query that the server refused.

    :param line: the query as it was sent
    :param status: the HTTP status of the answer
    :param message: the server's message, shortened
    """

    line: bytes = field(repr=False)
    status: int
    message: str

    @property
    def query_id(self) -> str:
        """The query's id."""
        return str(json.loads(self.line)["queryId"])


@dataclass
class PushResult:
    """What became of the queries of a push.

    :param accepted: how many the server accepted
    :param refused: those that it refused
    :param requests: how many HTTP requests were sent
    :param retries: how many of them repeated an earlier one
    :param bytes: how many bytes of JSON they carried
    :param seconds: how long it took, waits included
    """

    accepted: int = 0
    refused: list[RefusedQuery] = field(default_factory=list)
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    seconds: float = 0.0


@dataclass
class ShippingResult:
    """What became of queries.

    :param accepted: how many the server accepted
    :param from_earlier_tasks: of a journal: how many of these were left by earlier tasks
    :param sent_by_other_tasks: of a journal: how many of its own another task has sent meanwhile
    :param refused: how many it refused, which are dead letters now
    :param kept: of a journal: how many are on disk or in an object store, to be sent later
    :param stored: how many of these are in the object store
    :param lost: of a journal: how many could neither be delivered nor kept
    :param requests: how many HTTP requests were sent
    :param bytes: how many bytes of JSON they carried
    :param seconds: how long it took
    :param problem: why not everything was sent, for people to read; empty if it was, or time was short
    """

    accepted: int = 0
    from_earlier_tasks: int = 0
    sent_by_other_tasks: int = 0
    refused: int = 0
    kept: int = 0
    stored: int = 0
    lost: int = 0
    requests: int = 0
    bytes: int = 0
    seconds: float = 0.0
    problem: str = ""
