"""The outbox's folder: where things are in it, and that it is ours before anything is put there."""

from __future__ import annotations

import logging
import os
import time

from airflow_provider_ryft.outbox.filesystem import FileSystem
from airflow_provider_ryft.outbox.segment_name import SegmentName, this_host

OPEN = "open"  # journals of processes that run, or died
READY = "ready"  # segments to be sent
CLAIMED = "claimed"  # segments that somebody is sending: a folder for each
DEAD = "dead"  # queries that the server refused
UNFINISHED = ".new"  # ends the name of a file that is being written

# A lock says whether its holder lives. Only a network file system that is mounted without locks can lie about holders
# on other machines, so these get this many seconds, counted from the last time that they wrote.
_GRACE = 3600.0

log = logging.getLogger(__name__)


class OutboxDirectory:
    """A folder with four folders in it, made when they are first needed.

    :param path: of the folder
    :param disk: what does the work
    """

    def __init__(self, path: str, disk: FileSystem) -> None:
        self.path = path
        self.disk = disk
        self._is_ours = False
        self.disk_problem = ""

    def path_of(self, *names: str) -> str:
        """Return the path of a file below the folder."""
        return os.path.join(self.path, *names)

    def prepare(self) -> None:
        """Make what is missing, and check that it belongs to us.

        :raises OSError: if it can't be made, or belongs to somebody else
        """
        self.disk.make_folder(self.path)
        for name in (OPEN, READY, CLAIMED, DEAD):
            self.disk.make_private(self.path_of(name))
        self._is_ours = True

    def exists(self) -> bool:
        """Tell whether there is an outbox to read; one that belongs to somebody else is none, and is complained of."""
        try:
            if not os.path.isdir(self.path):
                return False
            if not self._is_ours:
                self.prepare()
        except OSError as error:
            self.report_disk_error(error)
            return False
        return True

    def create_file(self, place: str, ending: str = "") -> tuple[SegmentName, int]:
        """Make a file that is locked by this process.

        :param place: one of the constants of this module
        :param ending: what follows the name's stem, if it is not a whole name
        :return: its name, and its descriptor
        :raises OSError: if that is not possible
        """
        if not self._is_ours:
            self.prepare()
        for _ in range(100):
            name = SegmentName.new()
            try:
                descriptor = self.disk.create_locked(
                    self.path_of(place, f"{name.stem}{ending}" if ending else str(name))
                )
            except FileNotFoundError:  # somebody removed the folder
                self.prepare()
                continue
            except FileExistsError:
                continue
            if descriptor is not None:
                return name, descriptor
        raise FileNotFoundError(2, "somebody removes each file that is made there", self.path_of(place))

    def segment_names(self, place: str) -> list[SegmentName]:
        """Return the names of the files that are there, the oldest first; what is not ours is left out.

        :raises OSError: if the folder can't be read
        """
        return [name for text in self.disk.names(self.path_of(place)) if (name := SegmentName.parse(text))]

    def lock_orphan(self, name: SegmentName, path: str) -> int | None:
        """Lock what another process left behind; ``None`` if that process may still be alive.

        :param name: of the file, which tells its machine
        :param path: of the file that its owner locks
        """
        try:
            descriptor = self.disk.lock(path)
        except FileNotFoundError:
            return None
        if descriptor is None or name.host == this_host():
            return descriptor
        if time.time() - os.fstat(descriptor).st_mtime > _GRACE:
            return descriptor
        self.disk.close(descriptor)
        return None

    def report_disk_error(self, error: OSError) -> str:
        """Say what is wrong with the disk, in the log only once; nothing else comes of it."""
        is_news = not self.disk_problem
        self.disk_problem = (
            f"Ryft's outbox {self.path} can't be used: {error.strerror or error}. Queries stay in memory until their "
            "task ends, and are lost if they can't be delivered by then. Give this user a folder of its own that it "
            "can write to ([ryft] outbox_path)."
        )
        if is_news:
            log.warning("%s", self.disk_problem)
        return self.disk_problem
