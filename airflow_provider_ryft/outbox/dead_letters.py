"""Queries that the server refused, with its message, until they are sent again, removed or too old."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_ryft.outbox.directory import DEAD, SegmentStorage
from airflow_provider_ryft.outbox.segment_name import SegmentName

if TYPE_CHECKING:
    from airflow_provider_ryft.results import RefusedQuery

_QUERY = b',"query":'  # not to be found before the query, because quotes in the server's message are escaped


@dataclass(frozen=True)
class DeadLetter:
    """A query that the server refused."""

    line: bytes = field(repr=False)  # the query as it was sent
    status: int  # the HTTP status of the answer
    message: str  # the server's message, shortened
    at: str  # when that was, ISO 8601 in UTC

    @property
    def payload(self) -> dict[str, Any]:
        """The query as the API's own JSON object."""
        return dict(json.loads(self.line))

    def encode(self) -> bytes:
        """Return it as a line of JSON."""
        head = json.dumps({"at": self.at, "status": self.status, "message": self.message}, separators=(",", ":"))
        return b"%b%b%b}\n" % (head[:-1].encode(), _QUERY, self.line)

    @classmethod
    def decode(cls, text: bytes) -> DeadLetter:
        """Read such a line, without its end.

        :raises ValueError: if it is none
        """
        position = text.index(_QUERY)
        head = json.loads(text[:position] + b"}")
        line = text[position + len(_QUERY) : -1]
        json.loads(line)
        return cls(line, int(head["status"]), str(head["message"]), str(head["at"]))


def add_dead_letters(storage: SegmentStorage, refused: Collection[RefusedQuery]) -> None:
    """Keep queries that the server refused just now.

    :raises OSError: if the storage does not take them
    """
    at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    data = b"".join(DeadLetter(one.line, one.status, one.message, at).encode() for one in refused)
    storage.add_segment(DEAD, len(refused), data)


def read_dead_letters(storage: SegmentStorage, name: SegmentName) -> Iterator[DeadLetter]:
    """Yield the dead letters of a file; lines that are none are skipped."""
    for text in storage.read_segment(DEAD, name).split(b"\n"):
        try:
            yield DeadLetter.decode(text)
        except (ValueError, KeyError, TypeError):
            continue
