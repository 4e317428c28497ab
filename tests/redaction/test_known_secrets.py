"""Secrets are found however they are written in a text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_ryft.redaction import known_secrets
from airflow_provider_ryft.redaction.known_secrets import MaskingError
from airflow_provider_ryft.redaction.redact import redact, redact_prefix
from support.masker import SECRET, maskers

pytestmark = pytest.mark.usefixtures("mask_secret")

PARTS = ("hunter2", "and", "the", "rest")
ODD = [
    "'", "''", '"', "\\", "\\'", "\n", "\r\n", "\t", "`", "]", "%", "@", "/", ":", "+", " ", "$", "&", "\x00", "é",
    "\U0001f511",
]  # fmt: skip
WRITTEN: dict[str, Callable[[str], str]] = {
    "standard": lambda secret: secret.replace("'", "''"),
    "identifier": lambda secret: secret.replace('"', '""'),
    "backquotes": lambda secret: secret.replace("`", "``"),
    "brackets": lambda secret: secret.replace("]", "]]"),
    "before parameters are put in": lambda secret: secret.replace("%", "%%").replace("'", "''"),
    "backslashes": lambda secret: secret.replace("\\", "\\\\").replace("'", "\\'"),
    "backslashes, double quotes": lambda secret: secret.replace("\\", "\\\\").replace('"', '\\"'),
    "psycopg": lambda secret: secret.replace("\\", "\\\\").replace("'", "''"),
    "PyMySQL": lambda secret: pymysql_escape(secret),
    "address": lambda secret: quote(secret, safe=""),
    "path": quote,
    "form": quote_plus,
    "SQLAlchemy": lambda secret: quote(secret, safe=" +"),
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "JSON, not ASCII": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "JSON in a literal": lambda secret: json.dumps(secret)[1:-1].replace("'", "''"),
    "JSON in a literal with backslashes": lambda secret: pymysql_escape(json.dumps(secret)[1:-1]),
    "repr": lambda secret: repr(secret)[1:-1],
    "repr in a literal": lambda secret: repr(secret)[1:-1].replace("'", "''"),
}


def pymysql_escape(secret: str) -> str:
    table = {"\0": "\\0", "\n": "\\n", "\r": "\\r", "\x1a": "\\Z", '"': '\\"', "'": "\\'", "\\": "\\\\"}
    return secret.translate(str.maketrans(table))


@pytest.mark.parametrize("way", WRITTEN)
def test_a_secret_is_found_however_it_is_written(mask_secret: Callable[[str], None], way: str) -> None:
    """A driver, an address or JSON escapes what is odd in a secret; it is the same secret."""
    for odd in ODD:
        secret = odd.join(PARTS)
        mask_secret(secret)
        written = WRITTEN[way](secret)
        assert redact(f"ALTER USER x PASSWORD '{written}'") == "ALTER USER x PASSWORD '***'"
        assert redact_prefix(f"[{written}]", 1_000)[:2] == ("[***]", True)


def test_what_psycopg_writes_is_found(mask_secret: Callable[[str], None]) -> None:
    """Its own literals, which is how a password gets into a statement that takes no parameters."""
    sql = pytest.importorskip("psycopg.sql")
    for secret in ("pa'ss'Word-77", "back\\slash'y"):
        mask_secret(secret)
        literal = sql.Literal(secret).as_string(None)
        assert "ss" not in redact(f"ALTER ROLE x PASSWORD {literal}")[len("ALTER ROLE x PASSWORD") :]


def test_the_address_of_a_connection_is_no_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """``Connection.get_uri()`` is what ATTACH, COPY and dblink are given."""
    from airflow.providers.common.compat.sdk import BaseHook

    monkeypatch.setenv("AIRFLOW_CONN_DB", '{"conn_type": "postgres", "login": "bob", "password": "p@ss/w:rd 1"}')
    address = BaseHook.get_connection("db").get_uri()
    masked = redact(f"ATTACH '{address}' AS x")
    assert "ss" not in masked.replace("postgres", "")
    assert "***" in masked


def test_a_secret_within_another_leaves_no_rest(mask_secret: Callable[[str], None]) -> None:
    """The longer one goes whole, and not only the part that both have."""
    mask_secret("hunter")
    mask_secret("hunter'and-more")
    assert redact("'hunter''and-more' hunter'and-more hunter") == "'***' *** ***"


def test_a_secret_that_becomes_known_is_found_in_all_its_ways(mask_secret: Callable[[str], None]) -> None:
    """What was built for the secrets that were known before is built again."""
    text = "PASSWORD 'late''secret'"
    assert redact(text) == text
    mask_secret("late'secret")
    assert redact(text) == "PASSWORD '***'"


def test_an_escaped_secret_with_a_quote_is_marked(mask_secret: Callable[[str], None]) -> None:
    """It takes quotes with it, as one that is not escaped does."""
    mask_secret("it's-secret")
    assert redact_prefix("select 'it''s-secret'", 1_000) == ("select '***'", True, True)


def test_most_secrets_are_written_in_one_way() -> None:
    """Then a text is not searched a second time."""
    assert known_secrets._spellings_of_pattern(re.escape(SECRET)) == (SECRET, frozenset())


def test_no_secret_leaves_because_its_spellings_fail(
    monkeypatch: pytest.MonkeyPatch, mask_secret: Callable[[str], None]
) -> None:
    """What may hold a secret does not pass."""
    monkeypatch.setattr(known_secrets, "_spellings_of_pattern", None)
    mask_secret("another'secret")
    with pytest.raises(MaskingError, match="escaped"):
        redact("a")


def test_a_masker_that_does_not_show_its_secrets_still_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose patterns are elsewhere is asked as ever."""
    for masker in maskers():
        monkeypatch.setattr(masker, "patterns", None)
    assert redact(f"a {SECRET}") == "a ***"


def test_thousands_of_secrets_are_read_once(mask_secret: Callable[[str], None]) -> None:
    """A task that learns one secret after the other does not work out all of them again each time."""
    known = maskers()[0]
    known_secrets._spellings_of_pattern.cache_clear()
    for count in range(50):
        known.patterns |= {f"secret'{count}"}
        known.replacer = re.compile(f"secret'{count}")
        redact("select 1")
    assert known_secrets._spellings_of_pattern.cache_info().misses <= 60
