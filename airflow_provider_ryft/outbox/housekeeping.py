"""Keeps an outbox in order: adopts the files of dead processes, and evicts what exceeds the limits."""

from __future__ import annotations

import logging
from collections import Counter

from airflow_provider_ryft.outbox.directory import DEAD, FOLDERS, READY, UNFINISHED, OutboxDirectory, SegmentStorage
from airflow_provider_ryft.outbox.records import replay
from airflow_provider_ryft.outbox.segment_name import SegmentName, size_of

MAX_DEAD_BYTES = 32 << 20
MAX_DEAD_AGE = 30 * 86400.0

log = logging.getLogger(__name__)


def adopt_orphans(directory: OutboxDirectory) -> int:
    """Make ready what processes left behind that died; return the number of queries.

    A statement that was running then is reported as its process recorded it for that case.
    """
    if not directory.exists():
        return 0
    adopted = 0
    for folder in FOLDERS:
        try:
            adopted += _adopt_folder(directory, folder)
        except OSError as error:
            directory.report_disk_error(error)
    return adopted


def _adopt_folder(directory: OutboxDirectory, folder: str) -> int:
    adopted = 0
    ending = UNFINISHED if folder in (READY, DEAD) else ""  # the other files there have no owner
    for text in directory.list_names(folder):
        name = SegmentName.parse(text.replace(UNFINISHED, ".ndjson")) if text.endswith(ending) else None
        if name is None:
            continue
        path = directory.path_of(folder, text)
        descriptor = directory.lock_orphan(name, path)
        if descriptor is None:
            continue
        try:
            adopted += _adopt_file(directory, name, path, descriptor)
        finally:
            directory.disk.close(descriptor)
    return adopted


def _adopt_file(directory: OutboxDirectory, name: SegmentName, path: str, descriptor: int) -> int:
    disk = directory.disk
    data = disk.read(path)
    found = replay(data)
    if not found.lines:
        disk.remove(path)
        return 0
    disk.sync(descriptor)
    disk.publish(path, directory.path_of(READY, str(name.holding(len(found.lines), len(data)))))
    if found.interrupted:
        log.warning(
            "%d statements of process %d on %s never ended, because the process was killed; they are reported as "
            "failed.",
            found.interrupted,
            name.pid,
            name.host,
        )
    return len(found.lines)


def evict(
    storage: SegmentStorage, evicted: Counter[str], max_bytes: int, max_age: float, max_segments: int, *, now: float
) -> None:
    """Remove what exceeds the limits, the oldest first: of what waits to be sent, and of the dead letters.

    :param evicted: to which the queries are added, by reason
    :param now: seconds since 1970
    :raises OSError: if the storage fails; what was removed before is counted
    """
    limits = ((READY, "", max_bytes, max_age), (DEAD, "_of_dead", MAX_DEAD_BYTES, MAX_DEAD_AGE))
    for folder, of, most_bytes, most_age in limits:
        born = int((now - most_age) * 1e9)
        texts = storage.list_names(folder)
        size, files = sum(map(size_of, texts)), len(texts)
        for text in texts:  # the oldest first
            if size <= most_bytes and files <= max_segments and text > f"{max(born, 0):020d}":
                break
            name = SegmentName.parse(text)
            if name is None:
                continue
            reason = "bytes" if size > most_bytes else "number" if files > max_segments else "age"
            size, files = size - name.size, files - 1
            if storage.remove_segment(folder, name):
                evicted[f"evicted_for_{reason}{of}"] += name.queries
