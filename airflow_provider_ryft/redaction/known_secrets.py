"""The secrets that Airflow's maskers know, in all the ways in which they may be written.

A connection's password is known to the masker of the process that looked the connection up, so a statement is redacted
where it ran. There can be two maskers in one process (Airflow 3 has one for tasks and one for its core); a module that
was never imported knows no secrets.

A masker looks for a secret as it is. In a statement it may be written otherwise: a driver doubles its quotes, an
address has it with percent signs. So these spellings are looked for, too.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from types import ModuleType
from typing import Any, NamedTuple

_OF_2_11 = "airflow.utils.log.secrets_masker"
MASKER_MODULES = (
    "airflow.sdk._shared.secrets_masker",
    "airflow.sdk.execution_time.secrets_masker",  # 3.0
    "airflow._shared.secrets_masker",
    _OF_2_11,
)

# The part of a secret that is left when a text is cut lies within so many characters.
MAX_SECRET_LENGTH = 1 << 16

log = logging.getLogger(__name__)


class MaskingError(Exception):
    """Airflow's masker did not work; what it should have masked must not leave."""


def utf8_safe(text: str) -> str:
    """Return the text as UTF-8 can carry it; on a lone surrogate, 2.11's masker fails and returns what it was given."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class Spellings(NamedTuple):
    """The ways in which secrets may be written."""

    plain: frozenset[str]  # the secrets as they are
    escaped: tuple[str, ...]  # the other ways, of which most secrets have none
    signs: tuple[str, ...]  # a text that has none of these has nothing that is escaped


class KnownSecrets:
    """The secrets that the maskers of this process know at a moment.

    :param modules: where maskers are looked for, as far as these were imported
    """

    def __init__(self, modules: tuple[ModuleType | None, ...]) -> None:
        self._modules = modules
        self._maskers = [_masker(module) for module in modules if module is not None]
        self._show_secrets = all(hasattr(masker, "replacer") for masker in self._maskers)
        # A masker makes a new pattern, its replacer, whenever it learns a secret.
        self._replacers = [(masker, getattr(masker, "replacer", None)) for masker in self._maskers]

    def is_current(self, modules: tuple[ModuleType | None, ...]) -> bool:
        """Return whether no other secret has become known since."""
        if modules != self._modules or not self._show_secrets:
            return False
        for masker, replacer in self._replacers:  # noqa: SIM110  # twice as fast as all(), and done for each statement
            if masker.replacer is not replacer:
                return False
        return True

    @cached_property
    def masks(self) -> tuple[Callable[[str], Any], ...]:
        """The functions that mask a text."""
        return tuple(_masks(self._modules))

    @cached_property
    def spellings(self) -> Spellings:
        """The ways in which the secrets may be written."""
        try:
            return _spellings(self._maskers)
        except Exception as error:
            raise MaskingError(f"{type(error).__name__} where secrets are escaped") from None


_last: KnownSecrets | None = None


def known_secrets() -> KnownSecrets:
    """Return the secrets that are known now: the same object as long as no other secret becomes known."""
    global _last
    modules = tuple(map(sys.modules.get, MASKER_MODULES))
    known = _last
    if known is None or not known.is_current(modules):
        known = _last = KnownSecrets(modules)
    return known


# --- Airflow's maskers


def _masker(module: ModuleType) -> Any:
    try:
        return module._secrets_masker()
    except Exception as error:  # it has another one, or its logging was configured without
        log.debug("%s has no masker: %s", module.__name__, type(error).__name__)
        return None


def _masks(modules: Iterable[ModuleType | None]) -> Iterable[Callable[[str], Any]]:
    """Return the functions that mask a text, each of them once, because old names lead to the same one."""
    masks: dict[Any, Callable[[str], Any]] = {}
    imported = [module for module in modules if module is not None and hasattr(module, "redact")]
    for module in imported:
        if not _has_nothing_to_mask(module):
            # In 3.0 and 3.1 the module of 2.11 may be there, with the new masker's names in it.
            is_old = module is sys.modules.get(_OF_2_11) and "_secrets_masker" in vars(module)
            masks[module.redact] = _mask_in_2_11 if is_old else module.redact
    if not imported:
        try:
            from airflow.providers.common.compat.sdk import redact as newest
        except ImportError as error:
            raise MaskingError(f"Airflow's secrets masker cannot be imported: {error}") from None
        masks[newest] = newest
    return masks.values()


def _has_nothing_to_mask(module: ModuleType) -> bool:
    """Return whether a masker is Airflow's own, and knows no secret: it need not be called."""
    is_own = getattr(module.redact, "__module__", None) == module.__name__
    return is_own and getattr(_masker(module), "replacer", module) is None


def _mask_in_2_11(text: str) -> str:
    """Mask as 2.11's masker does, which returns the text as it is, and logs it, when it fails."""
    replacer = sys.modules[_OF_2_11]._secrets_masker().replacer
    masked: str = text if replacer is None else replacer.sub("***", text)
    return masked


# --- the ways in which a secret may be written


def _spellings(maskers: Iterable[Any]) -> Spellings:
    plain: set[str] = set()
    escaped: set[str] = set()
    for masker in maskers:
        for pattern in tuple(getattr(masker, "patterns", None) or ()):
            secret, others = _spellings_of_pattern(pattern)
            plain.add(secret)
            escaped.update(others)
    escaped -= plain
    signs: list[str] = []
    left = escaped
    for sign in ("%", "\\", "''", "+"):
        without = {spelling for spelling in left if sign not in spelling}
        if len(without) < len(left):
            left = without
            signs.append(sign)
    return Spellings(frozenset(plain), tuple(escaped), (*signs, *left))


@lru_cache(maxsize=4096)
def _spellings_of_pattern(pattern: str) -> tuple[str, frozenset[str]]:
    """Return a secret, and the other ways in which it may be written.

    :param pattern: the regular expression that a masker made of it
    """
    secret = utf8_safe(_unescape_pattern(pattern))
    if len(secret) > MAX_SECRET_LENGTH or _NEVER_ESCAPED.issuperset(secret):
        return secret, frozenset()
    embedded = {spelling for whole in _embedded(secret) for spelling in (whole, *_quoted(whole))}
    spellings = embedded | {spelling.replace("%", "%%") for spelling in embedded}  # before a driver puts parameters in
    return secret, frozenset(spellings - {secret})


# What is written as it is wherever it is embedded.
_NEVER_ESCAPED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~-")


def _unescape_pattern(pattern: str) -> str:
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
    yield text.translate(_BACKSLASHES_OF_MYSQL)


_BACKSLASHES_OF_MYSQL = {
    ord(odd): f"\\{name}" for odd, name in zip("\0\n\r\x1a\"'\\", ("0", "n", "r", "Z", '"', "'", "\\"), strict=True)
}
