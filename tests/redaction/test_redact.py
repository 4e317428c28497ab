"""What may leave: with Airflow's own masker, as it is in a task's process."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

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
    """Airflow's masker learns a connection's password when it is looked up; nothing else needs to be done."""
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
def test_what_is_not_a_masked_text_does_not_pass(replace_maskers: Callable[..., None], result: object) -> None:
    """A masker that raises, or returns something else, has not masked."""

    def fail(_text: str) -> object:
        if isinstance(result, Exception):
            raise result
        return result

    replace_maskers(fail)
    with pytest.raises(MaskingError, match="masker"):
        redact("a")


def test_without_any_masker_nothing_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no masker can be imported, nothing is known to be safe."""
    for name in (*known_secrets.MASKER_MODULES, "airflow.providers.common.compat.sdk"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MaskingError, match="cannot be imported"):
        redact("a")


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


def test_a_short_text_is_its_own_prefix() -> None:
    """What is short enough is masked, and complete."""
    assert redact_prefix("select 1", 1_000) == ("select 1", False, False)
    assert redact_prefix(f"select '{SECRET}'", 1_000) == ("select '***'", True, False)


def test_a_secret_with_a_quote_is_marked(mask_secret: Callable[[str], None]) -> None:
    """Without it, what was a literal may look like code."""
    mask_secret("it's-secret")
    assert redact_prefix("select it's-secret', 'x'", 1_000) == ("select ***', 'x'", True, True)


def test_work_is_bounded(replace_maskers: Callable[..., None]) -> None:
    """The masker is not asked about more of a text than its beginning."""
    asked: list[int] = []
    replace_maskers(lambda text: (asked.append(len(text)), text)[1])
    redact_prefix("x" * 50_000_000, 1_000)
    assert asked == [1_000 + MAX_SECRET_LENGTH]
