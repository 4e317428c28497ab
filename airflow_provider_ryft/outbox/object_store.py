"""What the outbox does to the objects of a store: every operation that can fail, in one place."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

from airflow_provider_ryft.outbox.filesystem import FileSystem


class ObjectStore(FileSystem):
    """What an object store does of what a disk does; every error is an :class:`OSError` that quotes nothing.

    It speaks to fsspec's file system and not through the path's own methods, because those of Airflow's paths note each
    file as data that the user's task read or wrote.

    :param url: what the paths of the folder begin with
    :param connect: gives the place: a path with fsspec's ``fs`` and ``path``, such as Airflow's ``ObjectStoragePath``;
        called with the first operation, because it may import a good deal
    """

    def __init__(self, url: str, connect: Callable[[], Any]) -> None:
        self._url = url
        self._connect = connect
        self._root: Any = None
        self._lock = Lock()

    def open(self) -> None:
        """Connect to the store, which imports a good deal and may ask for a connection; any operation does it too."""
        with self._lock:
            if self._root is None:
                self._root = self._connect()

    def names(self, path: str) -> list[str]:
        """List what is below a path, which may have nothing."""
        try:
            with _translated():
                fs, key = self._find(path)
                fs.invalidate_cache()  # others write there too
                return sorted(str(name).rpartition("/")[2] for name in fs.ls(key, detail=False))
        except FileNotFoundError:
            return []

    def read(self, path: str) -> bytes:
        """Return an object."""
        with _translated():
            fs, key = self._find(path)
            return bytes(fs.cat_file(key))

    def write(self, path: str, data: bytes) -> None:
        """Put an object there: all of it, or none if the store is one that does so."""
        with _translated():
            fs, key = self._find(path)
            try:
                fs.pipe_file(key, data)
            except FileNotFoundError:  # it has folders; those above the outbox are none of ours, and a bucket neither
                for folder in (self._find(self._url)[1], key.rpartition("/")[0]):
                    with suppress(FileExistsError):
                        fs.mkdir(folder, create_parents=False)
                fs.pipe_file(key, data)

    def remove(self, path: str) -> bool:
        """Delete an object; some stores can't tell whether it was still there."""
        try:
            with _translated():
                fs, key = self._find(path)
                fs.rm_file(key)
        except FileNotFoundError:
            return False
        return True

    def _find(self, path: str) -> tuple[Any, str]:
        self.open()
        return self._root.fs, f"{str(self._root.path).rstrip('/')}{path.removeprefix(self._url)}"


@contextmanager
def _translated() -> Iterator[None]:
    """Make every error one of a disk; the words of others may hold anything, and are left out."""
    try:
        yield
    except FileNotFoundError:
        raise
    except ImportError as error:
        raise OSError(errno.ENOSYS, f"{error}") from None
    except Exception as error:
        raise OSError(errno.EIO, f"the object store failed with {type(error).__name__}") from None
