"""What may leave: with Airflow's own masker, as it is in a task's process."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_ryft.redaction import known_secrets
from airflow_provider_ryft.redaction.known_secrets import MAX_SECRET_LENGTH, MaskingError
from airflow_provider_ryft.redaction.redact import redact, redact_prefix
from support.masker import SECRET, maskers

pytestmark = pytest.mark.usefixtures("mask_secret")


def test_a_known_secret_is_replaced() -> None:
    """Only the secret goes; the rest is as it was."""
    assert redact(f"CREATE USER x PASSWORD '{SECRET}' -- token") == "CREATE USER x PASSWORD '***' -- token"
    assert redact("password = 1 AND secret = 2") == "password = 1 AND secret = 2"
    assert redact("") == ""


def test_the_password_of_a_connection_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow tells its masker of a connection's password when it is looked up; nothing else needs to be done."""
    from airflow.providers.common.compat.sdk import BaseHook

    monkeypatch.setenv("AIRFLOW_CONN_DB", "postgres://bob:swordfish-1@nowhere/lake?token=very-secret-token")
    BaseHook.get_connection("db")
    assert redact("a swordfish-1 b very-secret-token c") == "a *** b *** c"


@pytest.mark.skipif("airflow.sdk" not in sys.modules and importlib.util.find_spec("airflow.sdk") is None, reason="2.11")
def test_both_maskers_of_airflow_3_are_asked() -> None:
    """The core's masker may know what the task's does not, as in ``dag.test()``."""
    importlib.import_module("airflow._shared.secrets_masker").mask_secret("known-to-the-core")
    assert redact(f"known-to-the-core {SECRET}") == "*** ***"


@pytest.mark.parametrize("lone", [chr(0xD800), chr(0xDFFF)])
def test_a_lone_surrogate_does_not_switch_the_masker_off(lone: str) -> None:
    """2.11's masker fails on text that UTF-8 cannot carry, and then returns the text unmasked."""
    assert redact(f"{lone}{SECRET}{lone}") == "\ufffd***\ufffd"


def test_a_secret_in_surrogate_pairs_is_found(mask_secret: Callable[[str], None]) -> None:
    """What becomes one character on the wire is one when it is masked."""
    mask_secret("secret-\U0001f511-key")
    assert redact("a secret-\ud83d\udd11-key b") == "a *** b"


class Failing:
    """A pattern that cannot be used."""

    def sub(self, *_: Any) -> str:
        raise RuntimeError(SECRET)


def test_a_masker_that_fails_lets_nothing_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Airflow's masker does when it fails, the text does not come back; nor is it in the error."""
    for masker in maskers():
        monkeypatch.setattr(masker, "replacer", Failing())
    with pytest.raises(MaskingError) as caught:
        redact(f"a {SECRET}")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("result", [RuntimeError(SECRET), None, "<redaction-failed>"])
def test_what_is_not_a_masked_text_does_not_pass(monkeypatch: pytest.MonkeyPatch, result: object) -> None:
    """A masker that raises, or returns something else, has not masked."""

    def fail(_text: str) -> object:
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(known_secrets.KnownSecrets, "masks", [fail])
    with pytest.raises(MaskingError, match="masker"):
        redact("a")


def test_without_any_masker_nothing_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no masker can be imported, nothing is known to be safe."""
    for name in (*known_secrets.MASKER_MODULES, "airflow.providers.common.compat.sdk"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MaskingError, match="cannot be imported"):
        redact("a")


# --- secrets as they are written in a text

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
    """What was built for the secrets that were known before is built anew."""
    text = "PASSWORD 'late''secret'"
    assert redact(text) == text
    mask_secret("late'secret")
    assert redact(text) == "PASSWORD '***'"


def test_an_escaped_secret_with_a_quote_is_told(mask_secret: Callable[[str], None]) -> None:
    """It takes quotes with it, as one that is not escaped does."""
    mask_secret("it's-secret")
    assert redact_prefix("select 'it''s-secret'", 1_000) == ("select '***'", True, True)


def test_most_secrets_are_written_in_one_way() -> None:
    """Then a text is not searched a second time."""
    assert known_secrets._spellings_of_pattern(re.escape(SECRET)) == (SECRET, frozenset())


def test_no_secret_leaves_because_its_ways_cannot_be_told(
    monkeypatch: pytest.MonkeyPatch, mask_secret: Callable[[str], None]
) -> None:
    """What may hold a secret does not pass."""
    monkeypatch.setattr(known_secrets, "_spellings_of_pattern", None)
    mask_secret("another'secret")
    with pytest.raises(MaskingError, match="escaped"):
        redact("a")


def test_a_masker_that_does_not_tell_its_secrets_still_masks(monkeypatch: pytest.MonkeyPatch) -> None:
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


# --- heads


@pytest.mark.parametrize("position", [0, 1, 500, 985, 990, 999, 1000, 1001])
@pytest.mark.parametrize("size", [1_000, 1_001, *(MAX_SECRET_LENGTH + extra for extra in (0, 1_000, 1_001, 99_999))])
def test_no_secret_survives_by_being_cut(position: int, size: int) -> None:
    """Wherever a secret is, what is left of the text holds no piece of it."""
    text = "x" * position + SECRET + "x" * size
    head = redact_prefix(text, 1_000).text[:1_000]
    assert "hunter" not in head
    assert "2-h" not in head


@pytest.mark.parametrize("offset", range(-len(SECRET) - 1, 3))
def test_no_secret_survives_at_the_very_end_of_what_is_looked_at(offset: int) -> None:
    """Other secrets before it draw the half of one that is cut towards the beginning."""
    size = 1_000 + MAX_SECRET_LENGTH + offset
    filled = (f"{SECRET} " * (size // (len(SECRET) + 1) + 1))[:size]
    head = redact_prefix(filled[: filled.rfind(" ") + 1].ljust(size) + SECRET + " the end" * 9_999, 1_000)
    assert head.text.replace("*** ", "").strip() == ""
    assert head.had_secret


def test_a_short_text_is_its_own_head() -> None:
    """What is short enough is masked, and complete."""
    assert redact_prefix("select 1", 1_000) == ("select 1", False, False)
    assert redact_prefix(f"select '{SECRET}'", 1_000) == ("select '***'", True, False)


def test_a_secret_with_a_quote_is_told(mask_secret: Callable[[str], None]) -> None:
    """Without it, what was a literal may look like code."""
    mask_secret("it's-secret")
    assert redact_prefix("select it's-secret', 'x'", 1_000) == ("select ***', 'x'", True, True)


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The masker is not asked about more of a text than its beginning."""
    asked: list[int] = []
    monkeypatch.setattr(known_secrets.KnownSecrets, "masks", [lambda text: (asked.append(len(text)), text)[1]])
    redact_prefix("x" * 50_000_000, 1_000)
    assert asked == [1_000 + MAX_SECRET_LENGTH]
