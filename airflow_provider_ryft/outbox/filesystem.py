"""What the outbox does to files: every operation that can fail, in one place, with private modes.

All of it is plain POSIX. A lock is a ``flock``, which ends with the process that holds it, however that ends; Linux
carries it over NFS too.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


class FileSystem:
    """File operations. Each raises :class:`OSError` when the disk does not do it."""

    def make_folder(self, path: str) -> None:
        """Make a folder that only its owner can enter, or find it; not one of another user, who could read it."""
        try:
            os.makedirs(path, PRIVATE_FOLDER)
            os.chmod(path, PRIVATE_FOLDER)  # whatever the umask is
        except FileExistsError:
            if not os.path.isdir(path):
                raise
        owner = os.stat(path).st_uid
        if owner != os.geteuid():
            raise PermissionError(errno.EPERM, f"it belongs to user {owner}, and this process is {os.geteuid()}", path)

    def make_private(self, path: str) -> None:
        """Make a folder inside the outbox, or find it and close it to other users."""
        self.make_folder(path)
        info = os.lstat(path)
        if not stat.S_ISDIR(info.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "it is a link, and must be a folder", path)
        if stat.S_IMODE(info.st_mode) != PRIVATE_FOLDER:
            os.chmod(path, PRIVATE_FOLDER)

    def create_locked(self, path: str) -> int | None:
        """Make a new file that is locked from the beginning, and return its descriptor, to which bytes are appended.

        :return: ``None`` if another process took the file before it was locked; another name will do
        """
        return _open_locked(path, os.O_CREAT | os.O_EXCL)

    def lock(self, path: str, *, create: bool = False) -> int | None:
        """Lock a file, at once or not at all, and return its descriptor.

        :param create: make it if it is not there
        :return: ``None`` if another process holds the lock, or the path names no file, or not that one any more
        """
        try:
            return _open_locked(path, os.O_CREAT if create else 0)
        except FileNotFoundError:
            if create:  # there is no folder for it
                raise
            return None

    def append(self, descriptor: int, data: bytes) -> None:
        """Append bytes: all of them, or none as far as that can be undone."""
        written = 0
        try:
            written = os.write(descriptor, data)
            while written < len(data):
                written += os.write(descriptor, memoryview(data)[written:])
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
            raise

    def overwrite(self, descriptor: int, position: int, data: bytes) -> None:
        """Replace bytes by others, for which a full disk has room too."""
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags & ~os.O_APPEND)  # with it, Linux appends at whatever position
        try:
            os.pwrite(descriptor, data, position)
        finally:
            fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)

    def sync(self, descriptor: int) -> None:
        """Wait until a file would survive a power cut."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close a file, and end its lock."""
        with suppress(OSError):
            os.close(descriptor)

    def replace(self, source: str, target: str) -> None:
        """Move a file atomically to where another one may be."""
        os.rename(source, target)

    def publish(self, source: str, target: str) -> None:
        """Move a file atomically, and wait until that would survive a power cut."""
        os.rename(source, target)
        self.sync_folder(os.path.dirname(target))

    def sync_file(self, path: str) -> None:
        """Wait until a file that is not open here would survive a power cut; one that is gone need not."""
        with suppress(FileNotFoundError):
            _sync(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)

    def sync_folder(self, path: str) -> None:
        """Wait until the names in a folder would survive a power cut."""
        with suppress(OSError):  # not every file system syncs folders
            _sync(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def move_if_there(self, source: str, target: str) -> bool:
        """Move a file, and return whether it was still there to be moved."""
        try:
            os.rename(source, target)
        except FileNotFoundError:
            if not os.path.isdir(os.path.dirname(target)):
                raise
            return False
        return True

    def remove(self, path: str) -> bool:
        """Remove a file, and return whether it was still there."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return False
        return True

    def names(self, path: str) -> list[str]:
        """List a folder; one that is not there is empty."""
        try:
            return sorted(os.listdir(path))
        except FileNotFoundError:
            return []

    def read(self, path: str) -> bytes:
        """Return all bytes of a file."""
        with open(path, "rb") as file:
            return file.read()


def _sync(path: str, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_locked(path: str, flags: int) -> int | None:
    """Open and lock a file; give it up if it is locked, or was removed or renamed meanwhile."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | flags, PRIVATE_FILE)
    try:
        opened = os.fstat(descriptor)
        if stat.S_IMODE(opened.st_mode) != PRIVATE_FILE:
            with suppress(OSError):  # a file system without modes
                os.fchmod(descriptor, PRIVATE_FILE)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(opened, os.stat(path)):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
