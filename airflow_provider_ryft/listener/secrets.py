"""What may leave the process: texts without the secrets that Airflow's masker knows.

A connection's password is known to the masker of the process that looked the connection up, so the statement is
masked where it ran. There can be two maskers in one process (Airflow 3 has one for tasks and one for its core); a
module that was never imported knows no secrets.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, NamedTuple

_OF_2_11 = "airflow.utils.log.secrets_masker"
_MASKERS = (
    "airflow.sdk._shared.secrets_masker",
    "airflow.sdk.execution_time.secrets_masker",  # 3.0
    "airflow._shared.secrets_masker",
    _OF_2_11,
)

log = logging.getLogger(__name__)

# What Airflow 3's masker returns when it fails.
_FAILED = "<redaction-failed>"

# Longer than any secret: what a cut leaves of a secret lies within it.
MARGIN = 1 << 16


class MaskingError(Exception):
    """Airflow's masker did not work; what it should have masked must not leave."""


def redact(text: str) -> str:
    """Replace each secret that Airflow's masker knows by ``***``.

    :param text: any text
    :raises MaskingError: if no masker can be asked, or one fails
    """
    text = encodable(text)
    for mask in _maskers():
        try:
            masked = mask(text)
        except Exception as error:
            raise MaskingError(f"{type(error).__name__} in Airflow's secrets masker") from None
        if not isinstance(masked, str) or (masked == _FAILED and text != _FAILED):
            raise MaskingError("Airflow's secrets masker failed")
        text = masked
    return text


def known_secrets() -> tuple[object, ...]:
    """Return what stands for the secrets that are known now: equal as long as no other one becomes known.

    A masker makes a new pattern whenever it is told of a secret.
    """
    return tuple([object() if holder is None else holder.replacer or holder for holder in _found().holders])


class Head(NamedTuple):
    """The beginning of a text, without secrets.

    :param text: what is left
    :param had_secret: whether there was one
    :param took_code: whether one had characters in it that delimit SQL's literals and comments
    """

    text: str
    had_secret: bool
    took_code: bool


def redact_head(text: str, length: int) -> Head:
    """Mask the beginning of a text of any length, in bounded time.

    What is cut off is cut after masking, so that no secret survives by being cut in half.

    :param text: any text
    :param length: characters to look at; the head may be longer by no more than the margin, and may be shorter
    :raises MaskingError: see :func:`redact`
    """
    looked_at = encodable(text[: length + MARGIN])
    masked = redact(looked_at)
    had_secret = masked != looked_at
    took_code = had_secret and any(masked.count(mark) != looked_at.count(mark) for mark in _LEXICAL)
    if len(text) > length + MARGIN:
        # Whatever secret was cut in half is still at the end, and shorter than the margin.
        masked = masked[: max(len(masked) - MARGIN, 0)]
    return Head(masked, had_secret, took_code)


_LEXICAL = ("'", '"', "`", "\\", "$", "--", "/*", "*/", "#", "[", "]", ";")


def encodable(text: str) -> str:
    """Return the text as UTF-8 can carry it; on a lone surrogate, 2.11's masker fails and returns what it was given."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class _Found(NamedTuple):
    """The maskers of a process.

    :param modules: where they are looked for, as far as these were imported
    :param masks: what masks a text
    :param holders: what holds the patterns of each; ``None`` if that is not known
    """

    modules: tuple[ModuleType | None, ...]
    masks: tuple[Callable[[str], Any], ...]
    holders: tuple[Any, ...]


_last: _Found | None = None


def _found() -> _Found:
    """Find the maskers; again only when another module was imported."""
    global _last
    modules = tuple(map(sys.modules.get, _MASKERS))
    if _last is None or modules != _last.modules:
        _last = _Found(modules, tuple(_masks(modules)), tuple(map(_holder, filter(None, modules))))
    return _last


def _holder(module: ModuleType) -> Any:
    try:
        return module._secrets_masker()
    except Exception as error:  # it has another one, or its logging was configured without
        log.debug("%s does not tell its masker: %s", module.__name__, type(error).__name__)
        return None


def _maskers() -> Iterable[Callable[[str], Any]]:
    return _found().masks


def _masks(modules: Iterable[ModuleType | None]) -> Iterable[Callable[[str], Any]]:
    """Return the functions that mask a text, each of them once, because old names lead to the same one."""
    masks: dict[Any, Callable[[str], Any]] = {}
    for name, module in zip(_MASKERS, modules, strict=True):
        mask: Callable[[str], Any] | None = getattr(module, "redact", None)
        if mask is not None:
            # In 3.0 and 3.1 the module of 2.11 may be there, with the new masker's names in it.
            is_old = name == _OF_2_11 and "_secrets_masker" in vars(module)
            masks[mask] = _mask_in_2_11 if is_old else mask
    if not masks:
        try:
            from airflow.providers.common.compat.sdk import redact as newest
        except ImportError as error:
            raise MaskingError(f"Airflow's secrets masker cannot be imported: {error}") from None
        masks[newest] = newest
    return masks.values()


def _mask_in_2_11(text: str) -> str:
    """Mask as 2.11's masker does, which returns the text as it is, and logs it, when it fails."""
    replacer = sys.modules[_OF_2_11]._secrets_masker().replacer
    masked: str = text if replacer is None else replacer.sub("***", text)
    return masked


# The apostrophe of "can't" is no quote.
_QUOTE = re.compile(r"""(?<![a-z]n(?='t\b))['"`$\\]""")
_NUMBER = re.compile(r"(?<![\w.\-])\d+(?:[.,:eE+\-]+\d+)*")


def discreet(message: str) -> str:
    """Take from an error message what it may quote of a statement or of its data.

    Kept is the first line up to the first quote, without numbers. Engines quote statements in quotes of the kind that
    is in the statement, and from its middle to its middle, so nobody can tell where such a quote ends.

    :param message: what an engine says about a failure
    """
    line = message.strip().partition("\n")[0]
    quote = _QUOTE.search(line)
    kept = _NUMBER.sub("?", line[: quote.start()] if quote else line)
    return f"{kept}…" if quote else kept
