"""What is in an outbox, and what went through it, for the people who maintain it."""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_ryft.outbox.directory import OPEN, SegmentStorage
from airflow_provider_ryft.outbox.records import replay
from airflow_provider_ryft.outbox.segment_name import SegmentName
from airflow_provider_ryft.outbox.shared_state import OutboxState


class FolderStats(NamedTuple):
    """What is in one of the outbox's folders."""

    files: int = 0  # how many files
    queries: int = 0  # how many queries
    bytes: int = 0  # how many bytes
    age: float = 0.0  # seconds since the oldest file was made; 0 if there is none


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
    oldest = min((name.created for name in names), default=None)
    return FolderStats(
        files=len(names),
        queries=sum(name.queries for name in names),
        bytes=sum(name.size for name in names),
        age=0.0 if oldest is None else max(0.0, now - oldest / 1e9),
    )


def _content_of(storage: SegmentStorage, name: SegmentName) -> tuple[int, int]:
    """Return the queries and the bytes that are in a journal now."""
    try:
        data = storage.read_segment(OPEN, name)
    except FileNotFoundError:
        return 0, 0
    return len(replay(data).lines), len(data)
