"""What became of the queries of a push."""

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
