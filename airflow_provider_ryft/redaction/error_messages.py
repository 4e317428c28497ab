"""Removes from an engine's error message what it quotes of a statement and of its data.

It is imported when a statement has failed, and no earlier: most tasks never need it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from airflow_provider_ryft.ingest.query import FailureInfo
from airflow_provider_ryft.redaction.known_secrets import MaskingError

# The apostrophe of "can't" is no quote.
_QUOTE = re.compile(r"""(?<![a-z]n(?='t\b))['"`$\\]""")
_NUMBER = re.compile(r"(?<![\w.\-])\d+(?:[.,:eE+\-]+\d+)*")
# "Bad int64 value: ..." and the like, of engines that do not put into quotes what they could not convert.
_VALUE = re.compile(r"\b(?:values?|cast|pars(?:e|ing))\b[^:]{0,200}:\s*(?=\S)", re.IGNORECASE)


def strip_quoted_values(message: str) -> str:
    """Remove from an error message what it may quote of a statement or of its data.

    The first line is kept up to the first quote or value, without numbers. Engines quote statements in quotes of the
    kind that is in the statement, and from its middle to its middle, so the end of such a quote cannot be found.

    :param message: what an engine says about a failure
    """
    line = message.strip().partition("\n")[0]
    quote, value = _QUOTE.search(line), _VALUE.search(line)
    ends = ([quote.start()] if quote else []) + ([value.end()] if value else [])
    kept = _NUMBER.sub("?", line[: min(ends)] if ends else line)
    return f"{kept}…" if ends else kept


_DELIMITERS = re.compile(r"""\A\w{0,2}&?['"`$]+|['"`$]+\Z""")
_QUOTES = re.compile(r"""\A\w{0,2}&?['"`]|['"`]\Z""")
_CHARACTER_CODES = re.compile(r"""\\(?:x|u|\+?[0-9a-f]{4}|[0-7]{2,3})|u&['"]|(?:x'|0x)[0-9a-f]{6}""")
_WORD = re.compile(r"\w{3,}")
_REPLACED = re.compile(r"\?(?:[\s,.;:()]*\?)+")


def remove_literals(message: str, literals: Iterable[str]) -> str:
    """Remove from an error message what it repeats of a statement's literals without their quotes.

    Each literal goes, and each word that is a part of one, because an engine may repeat as little as it likes: of the
    body of a procedure, the one text that it was to say.

    :param message: what an engine says about a failure
    :param literals: those of the statement, as they are written there
    :raises MaskingError: if one is spelt in a way that cannot be compared with the message
    """
    texts = list(literals)
    everything = "".join(texts).lower()
    if _CHARACTER_CODES.search(everything):
        raise MaskingError("a literal is spelt in numbers")
    # A sign at the edge of a text may be of the text, or of what delimits it.
    contents = {pattern.sub("", text).strip() for text in texts for pattern in (_DELIMITERS, _QUOTES)}
    for content in sorted((text for text in contents if len(text) >= 3 and text in message), key=len, reverse=True):
        message = message.replace(content, "?")
    message = _WORD.sub(lambda word: "?" if word[0].lower() in everything else word[0], message)
    return _REPLACED.sub("?", message)


_RAISED_BY_SQL = frozenset(
    {
        "45000", "ER_SIGNAL_EXCEPTION", "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO", "GENERIC_USER_ERROR", "P0001",
        "RAISE_EXCEPTION", "SQLITE_CONSTRAINT_TRIGGER", "USER_RAISED_EXCEPTION",
    }
)  # fmt: skip
_CODES_RAISED_BY_SQL = (("mysql", 1644, 1644), ("clickhouse", 395, 395), ("pymssql", 50_000, 1 << 31))
"""(what is in the names of a driver's exceptions, first and last code)"""


def is_raised_by_sql_code(failure: FailureInfo) -> bool:
    """Return whether an error is one that SQL code raised, with a message that may hold anything, such as data.

    :param failure: what is known of it
    """
    name, code, kind = failure.error_name or "", failure.error_code or 0, (failure.failure_type or "").lower()
    if name in _RAISED_BY_SQL or re.match(r"ORA-20\d{3}\Z", name):
        return True
    return any(driver in kind and first <= code <= last for driver, first, last in _CODES_RAISED_BY_SQL)
