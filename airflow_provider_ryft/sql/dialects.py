r"""How each dialect cuts text into tokens.

Where a string ends depends on who reads it: ``'C:\'`` is a whole string for PostgreSQL and Trino, and the beginning of
one for MySQL and Snowflake. A wrong guess turns code into literals, and literals into code, for the rest of the text.
So every dialect says how it reads (:class:`LexicalRules`), and text whose dialect is not known is read in every way
that makes a difference to it (:func:`possible_rules`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache


class LexicalRules:
    """How a dialect cuts text into tokens; the defaults are the SQL standard's.

    It is a plain class, and not a dataclass or a named tuple, because those take longer to define than all else here.

    :param base: where the traits that are not given come from; ``None``: the standard
    :param traits: the attributes that differ from it
    """

    backslash: bool = False  # a backslash takes the meaning from the next character in ``'...'``
    backslash_in_names: bool = False  # and in quoted names
    double: str = "name"  # what ``"..."`` is: a ``name``, a ``string``, or, to SQLite, ``either``
    brackets: bool = False  # ``[...]`` is a name
    e_strings: bool = False  # ``E'...'`` has backslashes
    raw_strings: bool = False  # ``r'...'`` has none
    triple: bool = False  # ``'''...'''`` is a string
    q_strings: bool = False  # ``q'[...]'`` is a string
    dollar: str = ""  # ``$tag$...$tag$`` is a string (``tag``), or only ``$$...$$`` (``bare``)
    at_signs: bool = False  # ``@@...@@`` is a string
    curly_quotes: bool = False  # a string may be between typographic quotes
    nested: bool | None = False  # comments nest; ``None`` if that is not known
    executable: bool = False  # ``/*! ... */`` is executed
    hash_comments: str = ""  # what starts a comment in addition to ``--``, as a regular expression
    slash_comments: bool = False  # ``//`` starts a comment
    dash_space: bool = False  # ``--`` starts one only before white space
    continued_comments: bool = False  # a backslash at the end of a line continues the comment on the next
    return_ends_comment: bool = True  # a carriage return without a line feed ends a comment
    hash_words: bool = False  # ``#`` may be in a name
    dashed_names: bool = False  # the first of several dotted names may have dashes
    digit_names: bool = False  # a name after a dot may begin with a digit: ``t.1``
    money: bool = False  # ``$1`` is an amount
    numbered: bool = False  # ``?1`` is a placeholder
    format_data: bool = False  # after ``INSERT ... FORMAT name`` comes data
    copy_data: bool = False  # after ``COPY ... FROM STDIN;`` comes data
    scripts: bool = False  # after ``CREATE ... SCRIPT ... AS`` comes a program, to the end of the text
    settings: bool = False  # ``SET name=value`` takes the text up to the semicolon as it is
    word_settings: bool = False  # ``SET name=word`` takes the word for a string
    cautious: bool = False  # it is no dialect's: text is cut as long as all agree, and the rest is a string

    def __init__(self, base: LexicalRules | None = None, **traits: bool | str | None) -> None:
        changed = {**vars(base), **traits} if base else traits
        vars(self).update({trait: value for trait, value in changed.items() if value != getattr(LexicalRules, trait)})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LexicalRules) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(frozenset(vars(self).items()))


_Marker = str | Callable[[str], bool]
_TRAIT_MARKERS: dict[str, tuple[_Marker, ...]] = {
    "backslash": (lambda text: _has_escaped_quote(text),),
    "backslash_in_names": (lambda text: _has_escaped_quote(text),),
    "double": ('"',),
    "brackets": ("[",),
    "e_strings": (lambda text: "e'" in text and _has(r"\be'", text),),
    "raw_strings": (lambda text: _has_raw_string(text),),
    "triple": ("'''", '"""', lambda text: _has_raw_string(text)),
    "q_strings": (lambda text: "q'" in text and _has(r"\bn?q'", text),),
    "dollar": (lambda text: "$" in text and _has(r"\$(?:[^\W\d]\w*)?\$", text),),
    "at_signs": ("@@",),
    "curly_quotes": ("\u2018", "\u201c"),
    "nested": (lambda text: _has_comment_in_comment(text),),
    "executable": ("/*!", "/*m!"),
    "hash_comments": ("#",),
    "slash_comments": ("//",),
    "dash_space": (lambda text: "--" in text and _has(r"--(?![\x00-\x20]|\Z)", text),),
    "continued_comments": ("\\\n", "\\\r\n"),
    "return_ends_comment": ("\r",),
    "hash_words": ("#",),
    "dashed_names": (lambda text: "-" in text and _has(r"-\w{1,62}\.[^\W\d]", text),),
    "digit_names": (),
    "money": (lambda text: "$" in text and _has(r"\$\.?[0-9]", text),),
    "numbered": (lambda text: "?" in text and _has(r"\?[0-9]", text),),
    "format_data": ("format",),
    "copy_data": ("stdin",),
    "scripts": ("script",),
    "settings": (),
    "word_settings": (),
    "cautious": (),
}
"""What a text, in small letters, has in it if a trait makes a difference to how it is cut: one of these at least."""
_INDIFFERENT = LexicalRules(settings=True, word_settings=True)
"""What is read into a text to which a trait makes no difference; where it says only what to hide, the most."""


_TRINO = LexicalRules()
_POSTGRES = LexicalRules(e_strings=True, dollar="tag", nested=True, copy_data=True)
_DUCKDB = LexicalRules(_POSTGRES, copy_data=False, word_settings=True)
_REDSHIFT = LexicalRules(_POSTGRES, backslash=True)
_VERTICA = LexicalRules(_POSTGRES, nested=None)
_MYSQL = LexicalRules(
    backslash=True, double="string", hash_comments="#", dash_space=True, executable=True, digit_names=True
)
_SQLITE = LexicalRules(double="either", brackets=True, numbered=True)
_MSSQL = LexicalRules(brackets=True, nested=True, hash_words=True, money=True)
_ORACLE = LexicalRules(q_strings=True, hash_words=True)
_SNOWFLAKE = LexicalRules(backslash=True, dollar="bare", slash_comments=True, nested=None)
_BIGQUERY = LexicalRules(
    backslash=True,
    backslash_in_names=True,
    double="string",
    triple=True,
    hash_comments="#",
    dashed_names=True,
    digit_names=True,
)
_HIVE = LexicalRules(backslash=True, double="string", nested=None, settings=True, digit_names=True)
_SPARK = LexicalRules(_HIVE, raw_strings=True, dollar="bare", nested=True, continued_comments=True)
_CLICKHOUSE = LexicalRules(
    backslash=True,
    backslash_in_names=True,
    dollar="tag",
    curly_quotes=True,
    nested=True,
    hash_comments="#[ !]",
    slash_comments=True,
    format_data=True,
    digit_names=True,
)
_YDB = LexicalRules(
    backslash=True, backslash_in_names=True, double="string", at_signs=True, nested=None, digit_names=True
)
_CALCITE = LexicalRules(nested=None)
_DRILL = LexicalRules(_CALCITE, double="string")

_BY_DIALECT: dict[str, tuple[LexicalRules, ...]] = {
    "athena": (_TRINO, _HIVE),  # queries are Trino's, definitions Hive's
    "aws": (_TRINO, _HIVE, _REDSHIFT),
    "bigquery": (_BIGQUERY,),
    "clickhouse": (_CLICKHOUSE,),
    "cockroachdb": (_POSTGRES,),
    "databricks": (_SPARK,),
    "drill": (_DRILL,),
    "druid": (_CALCITE,),
    "duckdb": (_DUCKDB,),
    "exasol": (LexicalRules(_CALCITE, scripts=True),),
    "gcpbigquery": (_BIGQUERY,),
    "gcpspanner": (_BIGQUERY,),
    "google_cloud_platform": (_BIGQUERY,),
    "hive": (_HIVE,),
    "hive_cli": (_HIVE,),
    "hiveserver2": (_HIVE,),
    "impala": (_HIVE,),
    "mariadb": (_MYSQL,),
    "motherduck": (_DUCKDB,),
    "mssql": (_MSSQL,),
    "mysql": (_MYSQL, LexicalRules(_MYSQL, dollar="tag")),  # since 9.0, for programs in JavaScript
    "oracle": (_ORACLE,),
    "pinot": (_CALCITE,),
    "postgres": (_POSTGRES,),
    "postgresql": (_POSTGRES,),
    "presto": (_TRINO,),
    "redshift": (_REDSHIFT,),
    "snowflake": (_SNOWFLAKE,),
    "spark": (_SPARK,),
    "spark_connect": (_SPARK,),
    "spark_sql": (_SPARK,),
    "sqlite": (_SQLITE,),
    "teradata": (LexicalRules(_TRINO, hash_words=True),),
    "trino": (LexicalRules(_TRINO, dollar="bare"),),
    "vertica": (_VERTICA,),
    "ydb": (_YDB,),
}
_ALL = tuple(dict.fromkeys(rules for rule_sets in _BY_DIALECT.values() for rules in rule_sets))


CAUTIOUS = LexicalRules(cautious=True, money=True, settings=True, word_settings=True)
"""What hides no less than any dialect's rules, and may hide much more."""


def is_known(dialect: str | None) -> bool:
    """Return whether it is known how a dialect cuts text into tokens."""
    return (dialect or "").lower() in _BY_DIALECT


def possible_rules(text: str, dialect: str | None) -> tuple[LexicalRules, ...]:
    """Return the ways to read a text: one where the dialect settles it, else every one that may differ from the others.

    :param dialect: an Airflow connection type; ``None`` or one that is not known: any dialect
    """
    name = (dialect or "").lower() if is_known(dialect) else ""
    unsettled = _unsettled(name)
    lowered = text.lower() if unsettled else ""
    matter = tuple(trait for trait in unsettled if has_marker(lowered, trait))
    # Engines differ in whether a lone return ends a line, and hardly ever say so.
    both_returns = "\r" in text and _has(r"\r(?!\n)", text)
    return _distinct(name, matter, both_returns=both_returns)


def has_marker(lowered: str, trait: str) -> bool:
    """Return whether a text, in small letters, may hold something to which a trait makes a difference."""
    return any(marker in lowered if isinstance(marker, str) else marker(lowered) for marker in _TRAIT_MARKERS[trait])


@lru_cache(maxsize=64)
def _unsettled(dialect: str) -> tuple[str, ...]:
    """Return the traits in which the rules of a dialect differ, or which one of them leaves open."""
    rule_sets = _BY_DIALECT.get(dialect, _ALL)
    values = {trait: {getattr(rules, trait) for rules in rule_sets} for trait in _TRAIT_MARKERS}
    return tuple(trait for trait, found in values.items() if len(found) > 1 or None in found)


@lru_cache(maxsize=256)
def _distinct(dialect: str, matter: tuple[str, ...], *, both_returns: bool) -> tuple[LexicalRules, ...]:
    """Return the rules of a dialect that differ in traits that matter."""
    settled = {trait: getattr(_INDIFFERENT, trait) for trait in _unsettled(dialect) if trait not in matter}
    found: dict[LexicalRules, None] = {}
    for rules in _BY_DIALECT.get(dialect, _ALL):
        plain = LexicalRules(rules, **settled)
        for nested in (True, False) if plain.nested is None else (plain.nested,):
            for return_ends in (True, False) if both_returns else (True,):
                found[LexicalRules(plain, nested=nested, return_ends_comment=return_ends)] = None
    return tuple(found)


def _has(pattern: str, text: str) -> bool:
    return bool(re.search(pattern, text))


def _has_raw_string(text: str) -> bool:
    prefixes = ("r'", 'r"', "rb'", 'rb"')
    return any(prefix in text for prefix in prefixes) and _has(r"\b(?:b?r|rb)['\"]", text)


def _has_escaped_quote(text: str) -> bool:
    """Return whether a quote follows an odd number of backslashes; after an even one, it is the same to all."""
    if "\\" not in text:
        return False
    odd = text.replace("\\\\", "")
    return any(sign in odd for sign in ("\\'", '\\"', "\\`"))


def _has_comment_in_comment(text: str) -> bool:
    opening = text.find("/*")
    while opening >= 0:
        following = text.find("/*", opening + 2)
        if following >= 0 and text.find("*/", opening + 2, following + 1) < 0:
            return True
        opening = following
    return False
