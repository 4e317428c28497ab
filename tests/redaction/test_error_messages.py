"""What is left of an engine's error message."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given, strategies as st

from airflow_provider_ryft.redaction.error_messages import remove_literals, strip_quoted_values
from airflow_provider_ryft.redaction.known_secrets import MaskingError

STRIPPED = [
    ('relation "secret" does not exist', "relation …"),
    ("Duplicate entry 'bob@x' for key 'person.email'", "Duplicate entry …"),
    ("the right syntax to use near 'IDENTIFIED BY 'secret'' at line 1", "the right syntax to use near …"),
    ("failed at position 8 (line 1, col 8): x = 'sec", "failed at position ? (line ?, col ?): x = …"),
    (r"failed: x = \'secret", "failed: x = …"),
    ("can't cast 42 to a date; table doesn't fit", "can't cast ? to a date; table doesn't fit"),
    ("N't secret' of", "N…"),
    ("ORA-00942: no table t1 at 10.0.0.1:1521.", "ORA-00942: no table t1 at ?."),
    ("wrong $$secret$$", "wrong …"),
    ("first line\nDETAIL: secret", "first line"),
    ("Bad int64 value: secret", "Bad int64 value: …"),
    ("Value cannot be cast to date: secret", "Value cannot be cast to date: …"),
    ("Could not parse: secret", "Could not parse: …"),
    ("no such table: t", "no such table: t"),
    ("\n\nfirst line", "first line"),
    ("", ""),
]


@pytest.mark.parametrize(("message", "expected"), STRIPPED)
def test_strip_quoted_values(message: str, expected: str) -> None:
    """What a message quotes goes, and so does all after a quote that has no end."""
    assert strip_quoted_values(message) == expected


@given(st.text(), st.sampled_from("'\"`"), st.text())
def test_nothing_in_quotes_is_left(before: str, quote: str, after: str) -> None:
    """A text in quotes never passes, whatever is around it."""
    assert "a-secret" not in strip_quoted_values(f"{before}{quote}a-secret{quote}{after}")


@given(st.text())
def test_nothing_more_is_stripped_the_second_time(message: str) -> None:
    once = strip_quoted_values(message)
    assert strip_quoted_values(once) == once.strip().partition("\n")[0]


REPEATED = [
    ("Invalid Input Error: sekret customer", ["'sekret customer 4711'"], "Invalid Input Error: ?"),
    ("SEKRET of Bob refused", ["'sekret'", "'bob'"], "? of ? refused"),
    ("user_sekret is not known", ["'sekret'"], "user_? is not known"),
    ("near sekr", ["'sekret'"], "near ?"),
    ("missing ): (sekret", ["'(sekret'"], "missing ): ?"),
    ("raised customer gone", ["$$ BEGIN RAISE EXCEPTION 'customer gone'; END $$"], "raised ?"),
    ("raised customer gone", ["$x$ BEGIN PERFORM f('customer'); EXECUTE 'gone'; END $x$"], "raised ?"),
    ("sekretparquet", ["'sekret'", "'parquet'"], "?"),
    ("no \U0001f511\U0001f511\U0001f511 here", ["'\U0001f511\U0001f511\U0001f511'"], "no ? here"),
    ("no such table: t", ["'ab'", "42", "''"], "no such table: t"),
    ("no such table: t", [], "no such table: t"),
    ("", ["'x'"], ""),
]


@pytest.mark.parametrize(("message", "literals", "expected"), REPEATED)
def test_what_a_message_repeats_is_replaced(message: str, literals: list[str], expected: str) -> None:
    """With quotes or without, whole or in part; what is in no literal stays."""
    assert remove_literals(message, literals) == expected


@pytest.mark.parametrize(
    "literal",
    [r"e'\x73ekret'", r"'\u0073ekret'", r"U&'\0073ekret'", r"'\163\145kret'", "x'73656b726574'", "0x73656b726574"],
)
def test_a_message_may_repeat_what_it_alone_can_spell(literal: str) -> None:
    """Letters that are written as numbers cannot be compared with anything."""
    with pytest.raises(MaskingError):
        remove_literals("no sekret", [literal])


# What replaces a literal may look like a part of one.
CONTENTS = st.text(min_size=3).filter(lambda text: text.strip() == text and "?" not in text)


@example("", "00$", "")
@given(st.text(), CONTENTS, st.text())
def test_no_literal_is_left_in_a_message(before: str, content: str, after: str) -> None:
    """Wherever it is."""
    with suppress(MaskingError):
        assert content not in remove_literals(f"{before}{content}{after}", [f"'{content}'"])
