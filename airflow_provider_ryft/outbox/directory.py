"""Where segments are: in four folders, which a disk or an object store holds."""

from __future__ import annotations

import logging
import os
import time
from typing import Protocol

from airflow_provider_ryft.outbox.filesystem import FileSystem
from airflow_provider_ryft.outbox.records import SENT, record
from airflow_provider_ryft.outbox.segment_name import SegmentName, this_host

OPEN = "open"  # journals of processes that run, or died
READY = "ready"  # segments to be sent
CLAIMED = "claimed"  # segments that a process is sending
DEAD = "dead"  # queries that the server refused
FOLDERS = (OPEN, READY, CLAIMED, DEAD)
UNFINISHED = ".new"  # ends the name of a file that is being written

# A lock says whether its holder lives. Only a network file system that is mounted without locks can lie about holders
# on other machines, so these get this many seconds, counted from the last time that they wrote.
_GRACE = 3600.0

log = logging.getLogger(__name__)


class ClaimedSegment:
    """A segment that one sender has for now.

    :param name: its name
    :param size: its bytes
    :param descriptor: the open file, which holds the lock, if there is one
    """

    def __init__(self, name: SegmentName, size: int, descriptor: int = -1) -> None:
        self.name = name
        self.size = size
        self.descriptor = descriptor
        self.lines: dict[int, bytes] = {}  # the queries that are not settled, by number
        self.settled: list[int] = []  # numbers of those that are, which the file does not know yet


class SegmentStorage(Protocol):
    """What a disk and an object store can both do with segments; what fails raises an :class:`OSError`."""

    path: str  # of the four folders, as a user may see it
    disk_problem: str = ""  # what is wrong, in a few sentences; empty if nothing is

    def exists(self) -> bool:
        """Return whether there is an outbox to read; in a store, one that is not there is an empty one."""
        return True

    def list_names(self, folder: str) -> list[str]:
        """Return the names of all files in a folder, sorted; one that is not there is empty."""

    def read_segment(self, folder: str, name: SegmentName) -> bytes:
        """Return all bytes of a file."""

    def add_segment(self, folder: str, queries: int, data: bytes) -> None:
        """Store a file under a new name, with this number of queries: all of it, or none."""

    def remove_segment(self, folder: str, name: SegmentName) -> bool:
        """Remove a file, and return whether it was still there."""

    def take_segment(self, name: SegmentName) -> tuple[ClaimedSegment, bytes] | None:
        """Claim a segment that is ready, and return it with its bytes; ``None`` if that is not possible."""

    def restore_segment(self, segment: ClaimedSegment) -> SegmentName:
        """Make ready again what is not settled of a claimed segment, and return its name."""

    def remove_claimed(self, segment: ClaimedSegment) -> None:
        """Remove a claimed segment."""

    def explain(self, error: OSError) -> str:
        """Say in a few sentences what is wrong, what follows from it, and what to do."""

    def segments(self, folder: str) -> list[SegmentName]:
        """Return the names of the segments in a folder, the oldest first; other files are left out."""
        return [name for text in self.list_names(folder) if (name := SegmentName.parse(text))]

    def report_disk_error(self, error: OSError) -> str:
        """Say what is wrong, in the log only once."""
        is_news = not self.disk_problem
        self.disk_problem = self.explain(error)
        if is_news:
            log.warning("%s", self.disk_problem)
        return self.disk_problem


class OutboxDirectory(SegmentStorage):
    """A directory with the four folders in it, made when they are first needed, and checked to belong to this user.

    :param path: of the directory
    :param disk: what does the work
    """

    def __init__(self, path: str, disk: FileSystem) -> None:
        self.path = path
        self.disk = disk
        self._is_ours = False

    def path_of(self, *names: str) -> str:
        """Return the path of a file below the directory."""
        return os.path.join(self.path, *names)

    def prepare(self) -> None:
        """Make what is missing, and check that it belongs to this user.

        :raises OSError: if it can't be made, or belongs to another user
        """
        self.disk.make_folder(self.path)
        for folder in FOLDERS:
            self.disk.make_private(self.path_of(folder))
        self._is_ours = True

    def exists(self) -> bool:
        """Return whether there is an outbox to read; one that belongs to another user is none, and is warned of."""
        try:
            if not os.path.isdir(self.path):
                return False
            if not self._is_ours:
                self.prepare()
        except OSError as error:
            self.report_disk_error(error)
            return False
        return True

    def list_names(self, folder: str) -> list[str]:
        """Return the names of all files in a folder, sorted."""
        return self.disk.names(self.path_of(folder))

    def read_segment(self, folder: str, name: SegmentName) -> bytes:
        """Return all bytes of a file."""
        return self.disk.read(self.path_of(folder, str(name)))

    def add_segment(self, folder: str, queries: int, data: bytes) -> None:
        """Store a file, which has another ending while it is written."""
        name, descriptor = self.create_file(folder, UNFINISHED)
        path = self.path_of(folder, f"{name.stem}{UNFINISHED}")
        try:
            self.disk.append(descriptor, data)
            self.disk.sync(descriptor)
            self.disk.publish(path, self.path_of(folder, str(name.holding(queries, len(data)))))
        except OSError:
            self.disk.remove(path)
            raise
        finally:
            self.disk.close(descriptor)

    def remove_segment(self, folder: str, name: SegmentName) -> bool:
        """Remove a file, and return whether it was still there."""
        return self.disk.remove(self.path_of(folder, str(name)))

    def take_segment(self, name: SegmentName) -> tuple[ClaimedSegment, bytes] | None:
        """Lock a segment that is ready, and move it to what is claimed; ``None`` if it is locked, or gone."""
        ready, claimed = (self.path_of(folder, str(name)) for folder in (READY, CLAIMED))
        descriptor = self.disk.lock(ready)
        if descriptor is None:
            return None
        try:
            if self.disk.move_if_there(ready, claimed):
                data = self.disk.read(claimed)
                return ClaimedSegment(name, len(data), descriptor), data
        except BaseException:
            self.disk.close(descriptor)
            raise
        self.disk.close(descriptor)
        return None

    def restore_segment(self, segment: ClaimedSegment) -> SegmentName:
        """Record what is settled of a segment, and move it back to what is ready."""
        records = b"".join(record(SENT, number) for number in segment.settled)
        name = segment.name
        try:
            if records:
                self.disk.append(segment.descriptor, records)
                name = name.holding(len(segment.lines), segment.size + len(records))
            self.disk.replace(self.path_of(CLAIMED, str(segment.name)), self.path_of(READY, str(name)))
        finally:
            self.disk.close(segment.descriptor)
        return name

    def remove_claimed(self, segment: ClaimedSegment) -> None:
        """Remove a claimed segment, and end its lock."""
        self.remove_segment(CLAIMED, segment.name)
        self.disk.close(segment.descriptor)

    def create_file(self, folder: str, ending: str = "") -> tuple[SegmentName, int]:
        """Make a file that is locked by this process, and return its name and its descriptor.

        :param ending: what follows the name's stem, if it is not a whole name
        :raises OSError: if that is not possible
        """
        if not self._is_ours:
            self.prepare()
        for _ in range(100):
            name = SegmentName.new()
            text = f"{name.stem}{ending}" if ending else str(name)
            try:
                descriptor = self.disk.create_locked(self.path_of(folder, text))
            except FileNotFoundError:  # another process removed the folder
                self.prepare()
                continue
            except FileExistsError:
                continue
            if descriptor is not None:
                return name, descriptor
        raise FileNotFoundError(2, "another process removes each file that is made there", self.path_of(folder))

    def lock_orphan(self, name: SegmentName, path: str) -> int | None:
        """Lock what another process left behind; ``None`` if that process may still be alive."""
        descriptor = self.disk.lock(path)
        if descriptor is None or name.host == this_host():
            return descriptor
        if time.time() - os.fstat(descriptor).st_mtime > _GRACE:
            return descriptor
        self.disk.close(descriptor)
        return None

    def explain(self, error: OSError) -> str:
        """Say that queries stay in memory, and which directory this user needs."""
        return (
            f"Ryft's outbox {self.path} can't be used: {error.strerror or error}. Queries stay in memory until their "
            "task ends, and are lost if they can't be delivered by then. Give this user a folder of its own that it "
            "can write to ([ryft] outbox_path)."
        )
