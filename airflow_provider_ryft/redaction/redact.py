"""Replaces the secrets in a text that is to leave the process by ``***``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from airflow_provider_ryft.redaction.known_secrets import (
    MAX_SECRET_LENGTH,
    KnownSecrets,
    MaskingError,
    known_secrets,
    utf8_safe,
)

# What Airflow 3's masker returns when it fails.
_FAILED = "<redaction-failed>"

_LEXICAL = ("'", '"', "`", "\\", "$", "--", "/*", "*/", "#", "[", "]", ";")


class RedactedPrefix(NamedTuple):
    """The beginning of a text, without secrets."""

    text: str  # what is left
    had_secret: bool  # whether there was one
    removed_delimiters: bool  # whether one had characters in it that delimit SQL's literals and comments


def redact(text: str) -> str:
    """Replace each secret that Airflow's masker knows by ``***``, also where it is escaped.

    :param text: any text
    :raises MaskingError: if there is no masker, or one fails
    """
    return _redact(utf8_safe(text), known_secrets())


def redact_prefix(text: str, length: int, secrets: KnownSecrets | None = None) -> RedactedPrefix:
    """Redact the beginning of a text of any length, in bounded time.

    The text is redacted before it is cut, so that no secret survives by being cut in half.

    :param text: any text
    :param length: characters to look at; what is returned may be shorter, or longer by ``MAX_SECRET_LENGTH``
    :param secrets: those that are known, if the caller has them
    :raises MaskingError: see :func:`redact`
    """
    original = utf8_safe(text[: length + MAX_SECRET_LENGTH])
    redacted = _redact(original, secrets or known_secrets())
    had_secret = redacted != original
    removed_delimiters = had_secret and any(redacted.count(mark) != original.count(mark) for mark in _LEXICAL)
    if len(text) > length + MAX_SECRET_LENGTH:
        # A secret that was cut in half is still at the end.
        redacted = redacted[: max(len(redacted) - MAX_SECRET_LENGTH, 0)]
    return RedactedPrefix(redacted, had_secret, removed_delimiters)


def _redact(text: str, secrets: KnownSecrets) -> str:
    text = _without_escaped(text, secrets)
    for mask in secrets.masks:
        try:
            masked = mask(text)
        except Exception as error:
            raise MaskingError(f"{type(error).__name__} in Airflow's secrets masker") from None
        if not isinstance(masked, str) or (masked == _FAILED and text != _FAILED):
            raise MaskingError("Airflow's secrets masker failed")
        text = masked
    return text


def _without_escaped(text: str, secrets: KnownSecrets) -> str:
    """Replace the secrets that are written otherwise than Airflow's masker knows them.

    If there is one, those that are not escaped are replaced with it: the masker might find a short secret in an escaped
    long one, and leave the rest of that.
    """
    spellings = secrets.spellings
    is_in_text = text.__contains__
    if not any(map(is_in_text, spellings.signs)) or not any(map(is_in_text, spellings.escaped)):
        return text
    return _pattern(spellings.plain.union(spellings.escaped)).sub("***", text)


@lru_cache(maxsize=1)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str]:
    """Return what finds secrets, of two that begin at the same place the longer one."""
    return re.compile("|".join(map(re.escape, sorted(secrets, key=len, reverse=True))))
