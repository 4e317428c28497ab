"""What may leave the process: texts without the secrets that Airflow's masker knows.

A connection's password is known to the masker of the process that looked the connection up, so the statement is
masked where it ran. There can be two maskers in one process (Airflow 3 has one for tasks and one for its core); a
module that was never imported knows no secrets.

A masker looks for a secret as it is. In a statement it may be written otherwise: a driver doubles its quotes, an
address has it with percent signs. So the ways in which the known secrets may be written are looked for, too.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
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

_Forms = tuple[frozenset[str], tuple[str, ...], tuple[str, ...]]

# Longer than any secret: what a cut leaves of a secret lies within it.
MARGIN = 1 << 16


class MaskingError(Exception):
    """Airflow's masker did not work; what it should have masked must not leave."""


def redact(text: str) -> str:
    """Replace each secret that Airflow's masker knows by ``***``, also where it is escaped.

    :param text: any text
    :raises MaskingError: if no masker can be asked, or one fails
    """
    return _redacted(utf8_safe(text), known_secrets())


def _redacted(text: str, known: KnownSecrets) -> str:
    text = _without_escaped(text, known)
    for mask in known.masks:
        try:
            masked = mask(text)
        except Exception as error:
            raise MaskingError(f"{type(error).__name__} in Airflow's secrets masker") from None
        if not isinstance(masked, str) or (masked == _FAILED and text != _FAILED):
            raise MaskingError("Airflow's secrets masker failed")
        text = masked
    return text


class RedactedPrefix(NamedTuple):
    """The beginning of a text, without secrets.

    :param text: what is left
    :param had_secret: whether there was one
    :param took_code: whether one had characters in it that delimit SQL's literals and comments
    """

    text: str
    had_secret: bool
    removed_delimiters: bool


def redact_prefix(text: str, length: int, known: KnownSecrets | None = None) -> RedactedPrefix:
    """Mask the beginning of a text of any length, in bounded time.

    What is cut off is cut after masking, so that no secret survives by being cut in half.

    :param text: any text
    :param length: characters to look at; the head may be longer by no more than the margin, and may be shorter
    :param known: the secrets that are known, if somebody has asked just now
    :raises MaskingError: see :func:`redact`
    """
    looked_at = utf8_safe(text[: length + MARGIN])
    masked = _redacted(looked_at, known or known_secrets())
    had_secret = masked != looked_at
    took_code = had_secret and any(masked.count(mark) != looked_at.count(mark) for mark in _LEXICAL)
    if len(text) > length + MARGIN:
        # Whatever secret was cut in half is still at the end, and shorter than the margin.
        masked = masked[: max(len(masked) - MARGIN, 0)]
    return RedactedPrefix(masked, had_secret, took_code)


_LEXICAL = ("'", '"', "`", "\\", "$", "--", "/*", "*/", "#", "[", "]", ";")


def utf8_safe(text: str) -> str:
    """Return the text as UTF-8 can carry it; on a lone surrogate, 2.11's masker fails and returns what it was given."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class KnownSecrets:
    """The secrets that the maskers of this process know at a moment.

    A masker makes a new pattern whenever it is told of a secret.

    :param modules: where maskers are looked for, as far as these were imported
    """

    __slots__ = ("_are_told", "_escaped", "_masks", "_modules", "_replacers")

    def __init__(self, modules: tuple[ModuleType | None, ...]) -> None:
        self._modules = modules
        holders = [_holder(module) for module in modules if module is not None]
        self._are_told = all(hasattr(holder, "replacer") for holder in holders)
        self._replacers = [(holder, getattr(holder, "replacer", None)) for holder in holders]
        self._masks: tuple[Callable[[str], Any], ...] | None = None
        self._escaped: _Forms | None = None

    def are_all(self, modules: tuple[ModuleType | None, ...]) -> bool:
        """Tell whether no other secret has become known since."""
        if modules != self._modules or not self._are_told:
            return False
        for holder, replacer in self._replacers:  # noqa: SIM110  # twice as fast as all(), and done for each statement
            if holder.replacer is not replacer:
                return False
        return True

    @property
    def masks(self) -> tuple[Callable[[str], Any], ...]:
        """What masks a text."""
        if self._masks is None:
            self._masks = tuple(_masks(self._modules))
        return self._masks

    @property
    def escaped(self) -> _Forms:
        """The ways in which the secrets may be written."""
        if self._escaped is None:
            try:
                self._escaped = _escape(holder for holder, _ in self._replacers)
            except Exception as error:
                raise MaskingError(f"{type(error).__name__} where secrets are escaped") from None
        return self._escaped


_last: KnownSecrets | None = None


def known_secrets() -> KnownSecrets:
    """Return what stands for the secrets that are known now: the same as long as no other one becomes known."""
    global _last
    modules = tuple(map(sys.modules.get, _MASKERS))
    known = _last
    if known is None or not known.are_all(modules):
        known = _last = KnownSecrets(modules)
    return known


def _holder(module: ModuleType) -> Any:
    try:
        return module._secrets_masker()
    except Exception as error:  # it has another one, or its logging was configured without
        log.debug("%s does not tell its masker: %s", module.__name__, type(error).__name__)
        return None


def _masks(modules: Iterable[ModuleType | None]) -> Iterable[Callable[[str], Any]]:
    """Return the functions that mask a text, each of them once, because old names lead to the same one."""
    masks: dict[Any, Callable[[str], Any]] = {}
    maskers = [module for module in modules if module is not None and hasattr(module, "redact")]
    for module in maskers:
        if not _has_nothing_to_mask(module):
            # In 3.0 and 3.1 the module of 2.11 may be there, with the new masker's names in it.
            is_old = module is sys.modules.get(_OF_2_11) and "_secrets_masker" in vars(module)
            masks[module.redact] = _mask_in_2_11 if is_old else module.redact
    if not maskers:
        try:
            from airflow.providers.common.compat.sdk import redact as newest
        except ImportError as error:
            raise MaskingError(f"Airflow's secrets masker cannot be imported: {error}") from None
        masks[newest] = newest
    return masks.values()


def _has_nothing_to_mask(module: ModuleType) -> bool:
    """Tell whether a masker is Airflow's own, and knows no secret: it need not be asked."""
    is_own = getattr(module.redact, "__module__", None) == module.__name__
    return is_own and getattr(_holder(module), "replacer", module) is None


def _mask_in_2_11(text: str) -> str:
    """Mask as 2.11's masker does, which returns the text as it is, and logs it, when it fails."""
    replacer = sys.modules[_OF_2_11]._secrets_masker().replacer
    masked: str = text if replacer is None else replacer.sub("***", text)
    return masked


def _escape(holders: Iterable[Any]) -> _Forms:
    """Find the ways in which the secrets of maskers may be written.

    :return: the secrets as they are, the other ways, of which most secrets have none, and signs: a text that has none
        of these has nothing that is written in another way
    """
    known: set[str] = set()
    forms: set[str] = set()
    for holder in holders:
        for pattern in tuple(getattr(holder, "patterns", None) or ()):
            secret, ways = _ways(pattern)
            known.add(secret)
            forms.update(ways)
    forms -= known
    signs: list[str] = []
    left = forms
    for sign in ("%", "\\", "''", "+"):
        without = {form for form in left if sign not in form}
        if len(without) < len(left):
            left = without
            signs.append(sign)
    return frozenset(known), tuple(forms), (*signs, *left)


def _without_escaped(text: str, known: KnownSecrets) -> str:
    """Replace the secrets that are written otherwise than Airflow's masker knows them.

    If there is one, those that are not escaped are replaced with it: the masker might find a short secret in an escaped
    long one, and take what is left of that for no secret.
    """
    secrets, forms, signs = known.escaped
    has = text.__contains__
    if not any(map(has, signs)) or not any(map(has, forms)):
        return text
    return _searched(secrets.union(forms)).sub("***", text)


@lru_cache(maxsize=1)
def _searched(secrets: frozenset[str]) -> re.Pattern[str]:
    """Return what finds secrets, of two that begin at the same place the longer one."""
    return re.compile("|".join(map(re.escape, sorted(secrets, key=len, reverse=True))))


@lru_cache(maxsize=4096)
def _ways(pattern: str) -> tuple[str, frozenset[str]]:
    """Return a secret, and the other ways in which it may be written.

    :param pattern: the regular expression that a masker made of it
    """
    secret = utf8_safe(_unescaped(pattern))
    if len(secret) > MARGIN or _UNCHANGED.issuperset(secret):
        return secret, frozenset()
    embedded = {form for whole in _embedded(secret) for form in (whole, *_quoted(whole))}
    forms = embedded | {form.replace("%", "%%") for form in embedded}  # before a driver puts parameters in
    return secret, frozenset(forms - {secret})


# What is written as it is wherever it is embedded.
_UNCHANGED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~-")


def _unescaped(pattern: str) -> str:
    r"""Return the text that an escaped pattern finds.

    2.11 uses re2, which writes a NUL as \x00; otherwise both put a backslash before what is odd.
    """
    first, *rest = pattern.split("\\")
    text = [first]
    parts = iter(rest)
    for part in parts:
        if not part:  # a backslash itself
            text.append("\\" + next(parts, ""))
        else:
            text.append("\0" + part[3:] if part.startswith("x00") else part)
    return "".join(text)


def _embedded(secret: str) -> Iterator[str]:
    """Yield a secret as it is within an address, JSON, or what Python shows of a text."""
    import json
    from urllib.parse import quote, quote_plus

    yield secret
    yield from (quote(secret, safe=safe) for safe in ("", "/", " +"))
    yield quote_plus(secret)
    yield from (json.dumps(secret, ensure_ascii=plain)[1:-1] for plain in (True, False))
    yield repr(secret)[1:-1]


def _quoted(text: str) -> Iterator[str]:
    """Yield a text as it is within the quotes of any dialect."""
    for mark in "'\"`]":
        yield text.replace(mark, mark * 2)
    slashed = text.replace("\\", "\\\\")
    yield slashed
    yield slashed.replace("'", "''")  # psycopg
    yield slashed.replace("'", "\\'")
    yield slashed.replace('"', '\\"')
    yield text.translate(_MYSQL)


_MYSQL = {
    ord(odd): f"\\{name}" for odd, name in zip("\0\n\r\x1a\"'\\", ("0", "n", "r", "Z", '"', "'", "\\"), strict=True)
}
