"""The file of a journal: records are appended to it until it is sealed, which is a rename.

This process holds the file's lock all the time, so that other processes know that its owner lives.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress

from airflow_provider_ryft.outbox.directory import OPEN, READY, OutboxDirectory
from airflow_provider_ryft.outbox.records import mark_dropped


class JournalFile:
    """A new file with records in it.

    :param directory: of the outbox
    :param records: what is in the file first
    :raises OSError: if it can't be made; then there is none
    """

    def __init__(self, directory: OutboxDirectory, records: bytes) -> None:
        self._directory = directory
        self._disk = directory.disk
        self.name, self._descriptor = directory.create_file(OPEN)
        self.size = 0
        try:
            self.append_records(records)
        except OSError:
            self.discard()
            raise

    @property
    def _path(self) -> str:
        return self._directory.path_of(OPEN, str(self.name))

    def append_records(self, records: bytes) -> None:
        """Append records: all of them, or none and an :class:`OSError`."""
        self._disk.append(self._descriptor, records)
        self.size += len(records)

    def replace_file(self, old: JournalFile) -> None:
        """Take the place and the name of another file.

        At no time is a query in no file, and in two of them only if this process dies right here.
        """
        self._disk.replace(self._path, old._path)
        old.close_file()
        self.name = old.name

    def exists(self) -> bool:
        """Return whether the file still has its name; a folder that was removed takes it along."""
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except OSError:
            return False

    def drop_records(self, numbers: Collection[int]) -> None:
        """Overwrite the start of statements, so that they are not reported as interrupted; as far as that works."""
        with suppress(OSError):
            for position, dropped in mark_dropped(self._disk.read(self._path), numbers):
                self._disk.overwrite(self._descriptor, position, dropped)

    def seal(self, queries: int, *, synced: bool) -> str:
        """Make the file ready to be sent by any process, and return its path.

        :param queries: how many there are to report in it
        :param synced: whether to wait until that would survive a power cut
        """
        ready = self._directory.path_of(READY, str(self.name.holding(queries, self.size)))
        if synced:
            self._disk.sync(self._descriptor)
            self._disk.publish(self._path, ready)
        else:
            self._disk.replace(self._path, ready)
        self.close_file()
        return ready

    def discard(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            self._disk.remove(self._path)
        self.close_file()

    def close_file(self) -> None:
        """Close the file, and end its lock."""
        self._disk.close(self._descriptor)
