"""What is in an outbox, and what went through it, for the people who maintain it."""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_ryft.outbox.directory import OPEN, SegmentStorage
from airflow_provider_ryft.outbox.records import replay
from airflow_provider_ryft.outbox.segment_name import SegmentName
from airflow_provider_ryft.outbox.shared_state import OutboxState


class FolderStats(NamedTuple):
    """How many files, queries and bytes are in one of the outbox's folders."""

    files: int
    queries: int
    bytes: int
    age: float  # seconds since the oldest file was made; 0 if there is none


class OutboxStats(NamedTuple):
    """What is in an outbox, and what went through it."""

    running: FolderStats  # what tasks are writing now, and what dead ones have left
    ready: FolderStats  # what waits to be sent
    claimed: FolderStats  # what is being sent
    dead: FolderStats  # what the server refused
    state: OutboxState  # the circuit breaker and the counters
    remaining_pause: float  # seconds for which the circuit breaker stays open; 0 if something may be sent


def folder_stats(storage: SegmentStorage, folder: str, now: float) -> FolderStats:
    """Return what is in a folder.

    :param now: seconds since 1970
    :raises OSError: if it can't be read
    """
    names = storage.segments(folder)
    if folder == OPEN:  # a journal's name does not say yet what is in it
        names = [name.holding(*_content_of(storage, name)) for name in names]
    age = max((now - name.created / 1e9 for name in names), default=0.0)
    queries, size = sum(name.queries for name in names), sum(name.size for name in names)
    return FolderStats(len(names), queries, size, max(0.0, age))


def _content_of(storage: SegmentStorage, name: SegmentName) -> tuple[int, int]:
    """Return the queries and the bytes that are in a journal now."""
    try:
        data = storage.read_segment(OPEN, name)
    except FileNotFoundError:
        return 0, 0
    return len(replay(data).lines), len(data)
