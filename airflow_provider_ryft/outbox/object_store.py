"""An object store as a place for segments: every operation that can fail, in one place."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

from airflow_provider_ryft.outbox.directory import READY, ClaimedSegment, SegmentStorage
from airflow_provider_ryft.outbox.records import encode_segment
from airflow_provider_ryft.outbox.segment_name import SegmentName

_NEW = 3600.0  # seconds for which an object that is too short may still be being written


class ObjectStore(SegmentStorage):
    """The folders of an outbox in a store; every error is an :class:`OSError` that quotes nothing.

    It speaks to fsspec's file system and not through the path's own methods, because those of Airflow's paths record
    each file as data that the user's task read or wrote.

    :param url: of the outbox, as a user may see it
    :param connect: gives the place: a path with fsspec's ``fs`` and ``path``, such as Airflow's ``ObjectStoragePath``;
        called with the first operation, because it may import a good deal
    """

    def __init__(self, url: str, connect: Callable[[], Any]) -> None:
        self.path = url
        self._connect = connect
        self._root: Any = None
        self._lock = Lock()

    def connect_store(self) -> None:
        """Connect to the store, which imports a good deal and may ask for a connection; any operation does it too."""
        with self._lock:
            if self._root is None:
                self._root = self._connect()

    def list_names(self, folder: str) -> list[str]:
        """Return the names of all objects below a folder, sorted."""
        try:
            with _translated_errors():
                fs, key = self._key(folder)
                fs.invalidate_cache()  # other processes write there too
                return sorted(str(name).rpartition("/")[2] for name in fs.ls(key, detail=False))
        except FileNotFoundError:
            return []

    def read_segment(self, folder: str, name: SegmentName) -> bytes:
        """Return an object."""
        with _translated_errors():
            fs, key = self._key(folder, name)
            return bytes(fs.cat_file(key))

    def add_segment(self, folder: str, queries: int, data: bytes) -> None:
        """Put an object there under a new name."""
        self.put_segment(folder, SegmentName.new().holding(queries, len(data)), data)

    def put_segment(self, folder: str, name: SegmentName, data: bytes) -> None:
        """Put an object there under a name: all of it, or none if the store is one that does so."""
        with _translated_errors():
            fs, key = self._key(folder, name)
            try:
                fs.pipe_file(key, data)
            except FileNotFoundError:  # it has folders; neither those above the outbox nor a bucket are ours to make
                for parent in (self._key()[1], key.rpartition("/")[0]):
                    with suppress(FileExistsError):
                        fs.mkdir(parent, create_parents=False)
                fs.pipe_file(key, data)

    def remove_segment(self, folder: str, name: SegmentName) -> bool:
        """Delete an object; some stores don't say whether it was still there."""
        try:
            with _translated_errors():
                fs, key = self._key(folder, name)
                fs.rm_file(key)
        except FileNotFoundError:
            return False
        return True

    def take_segment(self, name: SegmentName) -> tuple[ClaimedSegment, bytes] | None:
        """Read a segment that is ready; ``None`` if it is gone, or not whole yet. No other sender is kept from it."""
        try:
            data = self.read_segment(READY, name)
        except FileNotFoundError:
            return None
        if len(data) < name.size and time.time() - name.created / 1e9 < _NEW:
            return None
        return ClaimedSegment(name, len(data)), data

    def restore_segment(self, segment: ClaimedSegment) -> SegmentName:
        """Put what is left of a segment in its place; one of which nothing was settled is still there."""
        if not segment.settled:
            return segment.name
        data = encode_segment(segment.lines.values())
        name = segment.name.holding(len(segment.lines), len(data))
        if segment.lines:
            self.put_segment(READY, name, data)
        if name != segment.name:
            self.remove_claimed(segment)
        return name

    def remove_claimed(self, segment: ClaimedSegment) -> None:
        """Delete a segment, which is where it was."""
        self.remove_segment(READY, segment.name)

    def _key(self, *names: str | SegmentName) -> tuple[Any, str]:
        self.connect_store()
        return self._root.fs, "/".join([str(self._root.path).rstrip("/"), *map(str, names)])

    def explain(self, error: OSError) -> str:
        """Say that queries stay on local disks, and what the store has to allow."""
        why = "there is no such place" if isinstance(error, FileNotFoundError) else error.strerror
        return (
            f"Ryft's outbox {self.path} can't be used: {why}. What tasks could not deliver stays on the disks of their "
            "machines. Check that the address is right, that its Airflow connection may list, read, write and delete "
            "there, and that fsspec's package for it is installed ([ryft] outbox_path)."
        )


@contextmanager
def _translated_errors() -> Iterator[None]:
    """Make every error one of a disk; messages of other code may hold anything, and are left out."""
    try:
        yield
    except FileNotFoundError:
        raise
    except ImportError as error:
        raise OSError(errno.ENOSYS, f"{error}") from None
    except Exception as error:
        raise OSError(errno.EIO, f"the object store failed with {type(error).__name__}") from None
