"""The names of the outbox's files, which say when and by which process each was made, and what is in it."""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
from typing import NamedTuple

_NAME = r"([0-9]{20})-([A-Za-z0-9_]+)-([0-9]+)-([0-9a-f]{8})(?:\.([0-9]+)q\.([0-9]+)b)?\.ndjson"


class SegmentName(NamedTuple):
    """The name of a file in the outbox; names sort by age.

    :param created: nanoseconds since 1970, UTC
    :param host: the machine that made the file
    :param pid: the process that made it
    :param nonce: makes it different from other names of this process
    :param queries: how many queries it holds, where that is known
    :param size: how many bytes it has, where that is known
    """

    created: int
    host: str
    pid: int
    nonce: str
    queries: int = 0
    size: int = 0

    @classmethod
    def new(cls) -> SegmentName:
        """Make a name that no other file has."""
        return cls(time.time_ns(), this_host(), os.getpid(), secrets.token_hex(4))

    @classmethod
    def parse(cls, text: str) -> SegmentName | None:
        """Read a name; ``None`` if this is no file of the outbox."""
        match = re.fullmatch(_NAME, text)
        if match is None:
            return None
        created, host, pid, nonce, queries, size = match.groups()
        return cls(int(created), host, int(pid), nonce, int(queries or 0), int(size or 0))

    def __str__(self) -> str:
        holds = f".{self.queries}q.{self.size}b" if self.size else ""
        return f"{self.stem}{holds}.ndjson"

    @property
    def stem(self) -> str:
        """What stays the same while the file grows and shrinks."""
        return f"{self.created:020d}-{self.host}-{self.pid}-{self.nonce}"

    def holding(self, queries: int, size: int) -> SegmentName:
        """Return the name with what the file holds."""
        return self._replace(queries=queries, size=size)


def size_of(text: str) -> int:
    """Return the bytes that a name says, much faster than by parsing all of it; 0 if it says nothing."""
    digits = text.rpartition("q.")[2].removesuffix("b.ndjson")
    return int(digits) if digits.isdecimal() else 0


def this_host() -> str:
    """Return this machine's name in the letters of a file name."""
    name = socket.gethostname()[:63]
    return "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in name) or "_"
