"""The queries that the sandbox accepted, in SQLite."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from airflow_provider_ryft.exceptions import ConfigurationError

_TABLES = """
CREATE TABLE IF NOT EXISTS delivery (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at TEXT NOT NULL,
    query_id TEXT NOT NULL,
    state TEXT NOT NULL,
    record TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS tag (
    name TEXT NOT NULL,
    number INTEGER NOT NULL REFERENCES delivery ON DELETE CASCADE,
    PRIMARY KEY (name, number)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_by_query_id ON delivery (query_id);
"""


@dataclass(frozen=True)
class StoredQuery:
    """A query as it was received."""

    number: int  # counts accepted queries from 1, those that were deleted included
    received_at: str  # ISO 8601, in UTC
    record: dict[str, Any]  # the payload


class Store:
    """Accepted queries in an SQLite file; one that is delivered twice is kept twice.

    :param path: the file, or ``:memory:``
    :raises ConfigurationError: if the file can't be used
    """

    def __init__(self, path: str = ":memory:") -> None:
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(path, check_same_thread=False)
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.executescript(_TABLES)
        except sqlite3.Error as error:
            raise ConfigurationError(
                f"The SQLite file {path!r} can't be used: {error}. Name one in a folder that can be written."
            ) from None

    def add(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Keep all the records, or none if one can't be kept."""
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._lock, self._db:
            for record in records:
                row = (now, record["queryId"], record["queryState"], json.dumps(record))
                number = self._db.execute(
                    "INSERT INTO delivery (received_at, query_id, state, record) VALUES (?, ?, ?, ?)", row
                ).lastrowid
                self._db.executemany(
                    "INSERT OR IGNORE INTO tag VALUES (?, ?)", [(tag, number) for tag in record.get("tags", ())]
                )

    def latest(
        self, *, limit: int = -1, tag: str | None = None, state: str | None = None, since: int = 0
    ) -> list[StoredQuery]:
        """Return queries, the newest first.

        :param limit: at most so many; all if negative
        :param tag: only those with this tag
        :param state: only those in this state
        :param since: only those with a higher number
        """
        rows = self._rows(
            "SELECT number, received_at, record FROM delivery WHERE number > :since"
            " AND (:state IS NULL OR state = :state)"
            " AND (:tag IS NULL OR number IN (SELECT number FROM tag WHERE name = :tag))"
            " ORDER BY number DESC LIMIT :limit",
            {"since": since, "state": state, "tag": tag, "limit": limit},
        )
        return [StoredQuery(number, received_at, json.loads(record)) for number, received_at, record in rows]

    def count(self) -> int:
        """Return how many queries are kept."""
        return int(self._rows("SELECT count(*) FROM delivery", {})[0][0])

    def last(self) -> int:
        """Return the number of the latest query; 0 if there is none."""
        return int(self._rows("SELECT coalesce(max(number), 0) FROM delivery", {})[0][0])

    def clear(self) -> None:
        """Delete all queries."""
        with self._lock, self._db:
            self._db.execute("DELETE FROM delivery")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _rows(self, sql: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()
