"""What is in an outbox, and what went through it, for people who look after it."""

from __future__ import annotations

from typing import NamedTuple

from airflow_provider_ryft.outbox.shared_state import OutboxState


class FolderStats(NamedTuple):
    """What is in one of the outbox's folders.

    :param files: how many files
    :param queries: how many queries
    :param bytes: how many bytes
    :param age: seconds since the oldest file was made; 0 if there is none
    """

    files: int = 0
    queries: int = 0
    bytes: int = 0
    age: float = 0.0


class OutboxStats(NamedTuple):
    """What is in an outbox, and what went through it.

    :param running: what tasks are writing now, and what dead ones have left
    :param ready: what waits to be sent
    :param claimed: what is being sent
    :param dead: what the server refused
    :param state: the circuit breaker and the counters
    :param remaining_pause: seconds for which the circuit breaker stays open; 0 if something may be sent
    """

    running: FolderStats
    ready: FolderStats
    claimed: FolderStats
    dead: FolderStats
    state: OutboxState
    remaining_pause: float
