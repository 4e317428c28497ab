"""Texts for the tests of ``sql/``: tables of written cases, and strategies for texts that nobody would write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hypothesis import HealthCheck, settings, strategies as st

UNTIMED = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # machines are noisy

FAMILIES = [
    "postgres", "mysql", "sqlite", "trino", "snowflake", "gcpbigquery", "databricks", "clickhouse", "oracle", None,
]  # fmt: skip
"""One dialect of each family, and an unknown one."""

DIALECTS = [
    *FAMILIES, "hiveserver2", "duckdb", "mssql", "exasol", "vertica", "teradata", "redshift", "athena", "ydb",
]  # fmt: skip
"""One dialect for each set of lexical rules, and an unknown one."""

_FRAGMENTS = st.sampled_from(
    [
        "\n", "\r", '"', '"""', '"y"', "#", "#}", "$$", "$1", "$a$", "%}", "'", "''", "'''", "'a'", "(", ")", "*",
        "*/", ",", "-", "--", "--x", ".", "..", ".1", ".5", "/", "/*", "/*!", "/*!50001", "//", "0x1F", "1", "1e9",
        "2.5", "5a", ":1", ";", "=", "?", "@@", "ALTER", "ANALYZE", "AS", "ATTACH", "BEGIN", "BY", "COMMIT", "COPY",
        "CREATE", "CSV", "DELETE", "DISTINCT", "E'", "END", "EXECUTE", "EXPLAIN", "FORMAT", "FROM", "GRANT",
        "IDENTIFIED", "INSERT", "INTO", "IS", "KEY", "MERGE", "N'x'", "PASSWORD", "PRAGMA", "REPLACE", "SCRIPT",
        "SECRET", "SELECT", "SET", "STDIN", "TABLE", 'U&"', "U&'", "UPDATE", "USER", "VACUUM", "VALUES", "WITH", "[",
        "[w]", "\\", "\\\n", "\\.", "]", "]'", "`", "`z`", "a5", "q'[", "r'", "x", "{#", "{%", "{{", "}}", "\u00e9",
        "\u2018", "\u2019",
    ]
)  # fmt: skip
TEXTS = st.lists(_FRAGMENTS, max_size=25).flatmap(
    lambda parts: st.sampled_from(["", " "]).map(lambda separator: separator.join(parts))
)
"""Fragments of SQL in any order: most are no SQL, and some are what only an attacker would send."""

Case = tuple[str | None, str, Any]
"""(dialect, text, what is expected of it); the dialect ``*`` is each of several."""


def expanded(cases: Iterable[Case], every: list[str | None]) -> Iterator[Case]:
    """Give each case of the dialect ``*`` once for each of the dialects."""
    for dialect, sql, expected in cases:
        for one in every if dialect == "*" else [dialect]:
            yield one, sql, expected


def check_each(cases: Iterable[Case], answer: Callable[[str, str | None], object]) -> None:
    """Assert that each case has the answer that is expected, and name all that have not.

    :param answer: called with the text and the dialect
    """
    wrong = [
        f"{dialect}: {sql!r} gives {given!r}, not {expected!r}"
        for dialect, sql, expected in cases
        if (given := answer(sql, dialect)) != expected
    ]
    assert not wrong, "\n".join(wrong)
