"""The database servers on loopback that tests talk to, and PostgreSQL's own log of what it was asked."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

MUST_RUN = "RYFT_TEST_SERVICES"

# PostgreSQL trusts loopback here; the text is there to be looked for.
POSTGRES_PASSWORD = "-".join(["pa55word", "of", "the", "matrix"])


def require(reason: str) -> None:
    """Skip the test that needs a server, unless it must run."""
    if os.environ.get(MUST_RUN) == "1":
        raise AssertionError(f"{MUST_RUN}=1, but {reason}")
    pytest.skip(reason)


@contextmanager
def postgres() -> Iterator[dict[str, Any]]:
    """Give an Airflow connection to PostgreSQL as a role of its own, whose statements the server logs."""
    import psycopg2

    try:
        admin = psycopg2.connect(host="127.0.0.1", user="postgres", dbname="test", connect_timeout=5)
    except psycopg2.OperationalError as error:
        require(f"there is no PostgreSQL on loopback: {error}")
        raise
    admin.autocommit = True
    role = f"ryft_test_{os.getpid()}_{secrets.token_hex(4)}"
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{POSTGRES_PASSWORD}'")
        cursor.execute(f"ALTER ROLE {role} SET log_min_duration_statement = 0")
        cursor.execute(f"ALTER ROLE {role} SET log_min_error_statement = 'error'")
        try:
            yield {
                "conn_type": "postgres",
                "host": "127.0.0.1",
                "port": 5432,
                "login": role,
                "password": POSTGRES_PASSWORD,
                "schema": "test",
            }
        finally:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (role,))
            cursor.execute(f"DROP OWNED BY {role}")
            cursor.execute(f"DROP ROLE {role}")
            admin.close()


def mariadb() -> dict[str, Any]:
    """Return an Airflow connection to MariaDB."""
    import pymysql

    try:
        pymysql.connect(host="127.0.0.1", user="root", database="test", connect_timeout=5).close()
    except pymysql.Error as error:
        require(f"there is no MariaDB on loopback: {error}")
    return {"conn_type": "mysql", "host": "127.0.0.1", "port": 3306, "login": "root", "schema": "test"}


@dataclass(frozen=True)
class Logged:
    """A statement as PostgreSQL's log has it.

    :param text: what it was asked
    :param started_at: when it began, to the millisecond; of a failed one when it ended
    :param duration_ms: how long it took; ``None`` if it failed
    """

    text: str
    started_at: datetime
    duration_ms: float | None


class PostgresLog:
    """What PostgreSQL writes down of a role from now on.

    :param role: its name
    """

    def __init__(self, role: str) -> None:
        self._role = role
        path = _log_path()
        if path is None:
            require("PostgreSQL's log can't be found")
            raise FileNotFoundError
        self._path = path
        self._from = path.stat().st_size

    def statements(self) -> list[Logged]:
        """Return the role's statements, in the order of their ends."""
        with self._path.open("rb") as file:
            file.seek(self._from)
            text = file.read().decode()
        entries = re.split(r"^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+ \[)", text, flags=re.MULTILINE)
        return [found for entry in entries if (found := _statement(entry, self._role)) is not None]


_ENTRY = re.compile(
    r"(?P<at>\S+ \S+) \S+ \[\d+\] (?P<user>\w+)@\w+ (?:"
    r"LOG:  duration: (?P<ms>[0-9.]+) ms  (?:statement|execute [^:]+): |STATEMENT:  )(?P<text>.*)",
    re.DOTALL,
)


def _statement(entry: str, role: str) -> Logged | None:
    match = _ENTRY.match(entry)
    if match is None or match["user"] != role:
        return None
    ended_at = datetime.fromisoformat(match["at"]).replace(tzinfo=timezone.utc)
    duration_ms = float(match["ms"]) if match["ms"] else None
    text = match["text"].rstrip("\n").replace("\n\t", "\n")
    return Logged(text, ended_at - timedelta(milliseconds=duration_ms or 0), duration_ms)


def _log_path() -> Path | None:
    """Find the log where the server's standard error goes, as Debian has it."""
    for pid_file in Path("/var/lib/postgresql").glob("*/*/postmaster.pid"):
        pid = pid_file.read_text().split("\n", 1)[0]
        target = Path(f"/proc/{pid}/fd/2")
        if target.exists() and target.resolve().is_file():
            return target.resolve()
    return None
