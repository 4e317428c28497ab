r"""SQL text cut into tokens, by the lexical rules of a dialect.

Where a string ends depends on who reads it: ``'C:\'`` is a whole string for PostgreSQL and Trino, and the beginning of
one for MySQL and Snowflake. A wrong guess turns code into literals, and literals into code, for the rest of the text.
So every dialect says how it reads (:class:`LexicalRules`), and text whose dialect is not known is read in every way
that makes a difference to it (:func:`possible_rules`).

Everything is linear in the length of the text: no pattern can match one text in two ways, the end of what was opened is
found by one search from left to right, and what is never closed reaches to the end of the text, so that no search is
made in vain twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from functools import lru_cache

WORD = "word"  # a keyword or a bare name
NAME = "name"  # a quoted name, quotes included
NAME_OR_STRING = "either"  # to SQLite, "x" is a string if no column has that name
STRING = "string"  # prefix and quotes included; also a name that is not closed
NUMBER = "number"
PLACEHOLDER = "placeholder"  # with a number in it: $1, :1; of the others the signs and words are tokens of their own
COMMENT = "comment"  # hints too
BRACKET = "bracket"  # of a comment that MySQL executes: "/*!50001" and "*/"
DATA = "data"  # what follows a statement and is not SQL
END = "end"  # a semicolon, or the line that ends PostgreSQL's data
OTHER = "other"  # any other sign

Token = tuple[str, int, int]
"""What it is, where it starts, and where it ends. White space is between tokens."""


class LexicalRules:
    """How a dialect cuts text into tokens; the defaults are the SQL standard's.

    :param backslash: a backslash takes the meaning from the next character in ``'...'``
    :param backslash_in_names: and in quoted names
    :param double: what ``"..."`` is: a ``name``, a ``string``, or, to SQLite, ``either``
    :param brackets: ``[...]`` is a name
    :param e_strings: ``E'...'`` has backslashes
    :param raw_strings: ``r'...'`` has none
    :param triple: ``'''...'''`` is a string
    :param q_strings: ``q'[...]'`` is a string
    :param dollar: ``$tag$...$tag$`` is a string (``tag``), or only ``$$...$$`` (``bare``)
    :param at_signs: ``@@...@@`` is a string
    :param curly_quotes: a string may stand between typographic quotes
    :param nested: comments nest; ``None`` if that is not known
    :param executable: ``/*! ... */`` is executed
    :param hash_comments: what starts a comment beside ``--``, as a regular expression
    :param slash_comments: ``//`` starts a comment
    :param dash_space: ``--`` starts one only before white space
    :param continued_comments: a backslash at the end of a line continues the comment on the next
    :param return_ends_comment: so does a carriage return without a line feed
    :param hash_words: ``#`` may be in a name
    :param dashed_names: the first of several dotted names may have dashes
    :param digit_names: a name after a dot may begin with a digit: ``t.1``
    :param money: ``$1`` is an amount
    :param numbered: ``?1`` is a placeholder
    :param format_data: after ``INSERT ... FORMAT name`` comes data
    :param copy_data: after ``COPY ... FROM STDIN;`` comes data
    :param scripts: after ``CREATE ... SCRIPT ... AS`` comes a program in another language, to the end of the text
    :param settings: ``SET name=value`` takes the text up to the semicolon as it is
    :param word_settings: ``SET name=word`` takes the word for a string
    :param cautious: it is no dialect's: text is cut as long as all agree, and the rest is a string

    It is a plain class, and not a dataclass or a named tuple, because those take longer to define than all else here.

    :param base: where the traits that are not given come from; ``None``: the standard
    """

    backslash: bool = False
    backslash_in_names: bool = False
    double: str = "name"
    brackets: bool = False
    e_strings: bool = False
    raw_strings: bool = False
    triple: bool = False
    q_strings: bool = False
    dollar: str = ""
    at_signs: bool = False
    curly_quotes: bool = False
    nested: bool | None = False
    executable: bool = False
    hash_comments: str = ""
    slash_comments: bool = False
    dash_space: bool = False
    continued_comments: bool = False
    return_ends_comment: bool = True
    hash_words: bool = False
    dashed_names: bool = False
    digit_names: bool = False
    money: bool = False
    numbered: bool = False
    format_data: bool = False
    copy_data: bool = False
    scripts: bool = False
    settings: bool = False
    word_settings: bool = False
    cautious: bool = False

    def __init__(self, base: LexicalRules | None = None, **traits: bool | str | None) -> None:
        changed = {**vars(base), **traits} if base else traits
        vars(self).update({trait: value for trait, value in changed.items() if value != getattr(LexicalRules, trait)})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LexicalRules) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(frozenset(vars(self).items()))


_Sign = str | Callable[[str], bool]
_TRAIT_MARKERS: dict[str, tuple[_Sign, ...]] = {
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
_ALL = tuple(dict.fromkeys(lexicon for several in _BY_DIALECT.values() for lexicon in several))


CAUTIOUS = LexicalRules(cautious=True, money=True, settings=True, word_settings=True)
"""What hides no less than any dialect's lexicon, and may hide much more."""


def is_known(dialect: str | None) -> bool:
    """Tell whether it is known how a dialect cuts text into tokens."""
    return (dialect or "").lower() in _BY_DIALECT


def possible_rules(text: str, dialect: str | None) -> tuple[LexicalRules, ...]:
    """Return the ways to read a text: one where the dialect settles it, else every one that may differ from the others.

    :param dialect: an Airflow connection type; ``None`` or one that is not known: any dialect
    """
    name = (dialect or "").lower() if is_known(dialect) else ""
    unsettled = _unsettled(name)
    lowered = text.lower() if unsettled else ""
    matter = tuple(trait for trait in unsettled if _has_sign(lowered, trait))
    # Engines differ in whether a lone return ends a line, and hardly ever say so.
    both_returns = "\r" in text and _has(r"\r(?!\n)", text)
    return _distinct(name, matter, both_returns=both_returns)


def _has_sign(lowered: str, trait: str) -> bool:
    return any(sign in lowered if isinstance(sign, str) else sign(lowered) for sign in _TRAIT_MARKERS[trait])


@lru_cache(maxsize=64)
def _unsettled(dialect: str) -> tuple[str, ...]:
    """Return the traits in which the lexicons of a dialect differ, or which one of them leaves open."""
    lexicons = _BY_DIALECT.get(dialect, _ALL)
    values = {trait: {getattr(lexicon, trait) for lexicon in lexicons} for trait in _TRAIT_MARKERS}
    return tuple(trait for trait, found in values.items() if len(found) > 1 or None in found)


@lru_cache(maxsize=256)
def _distinct(dialect: str, matter: tuple[str, ...], *, both_returns: bool) -> tuple[LexicalRules, ...]:
    """Return the lexicons of a dialect that differ in traits that matter."""
    settled = {trait: getattr(_INDIFFERENT, trait) for trait in _unsettled(dialect) if trait not in matter}
    found: dict[LexicalRules, None] = {}
    for lexicon in _BY_DIALECT.get(dialect, _ALL):
        plain = LexicalRules(lexicon, **settled)
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
    """Tell whether the backslashes before a quote are odd in number; to an even one, the quote is the same to all."""
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


def tokens(text: str, lexicon: LexicalRules) -> Iterator[Token]:
    """Cut a text into tokens.

    :param lexicon: one of its :func:`possible_rules`
    """
    yield from _code(text, 0, len(text), lexicon)


def _code(text: str, position: int, stop: int, lexicon: LexicalRules) -> Generator[Token, None, bool]:
    """Cut ``text[position:stop]``; a token that is not closed there reaches to the end of the text, and is the last.

    :return: whether there was one
    """
    match_at, forms = _grammar(lexicon)
    data = _Data(lexicon) if _may_have_data(text, lexicon) else None
    closes = True  # there may be another "*/"
    while match := match_at(text, position, stop):
        index = match.lastindex or 0  # never None: one of the forms matched
        kind, _, close = forms[index]
        start, position = match.span(index)
        if close:
            position = close(text, start, position, stop)
            if position < 0:
                yield COMMENT if kind is COMMENT else STRING, start, len(text)
                return True
        elif kind is BRACKET and closes:
            closed = text.find("*/", position, stop)
            closes = closed >= 0
            if closes:
                yield BRACKET, start, position
                # A server that skips the comment ends it here too, or this is where the two readings part.
                if (yield from _code(text, position, closed, lexicon)):
                    return True
                start, position = closed, closed + 2
        yield kind, start, position
        if data:
            for token in data.after(text, (kind, start, position), stop):
                yield token
                position = token[2]
    return False


def _may_have_data(text: str, lexicon: LexicalRules) -> bool:
    traits = ("format_data", "copy_data", "scripts")
    return any(getattr(lexicon, trait) and _has_sign(text.lower(), trait) for trait in traits)


class _Data:
    """Finds the data that follows a statement in the same text."""

    def __init__(self, lexicon: LexicalRules) -> None:
        self._format = lexicon.format_data
        self._scripts = lexicon.scripts
        self._first = self._last = ""  # words of the statement
        self._copies = False
        self._creates_script = False

    def after(self, text: str, token: Token, stop: int) -> Iterator[Token]:
        """Yield the data, if it starts after this token, and what ends it."""
        kind, start, end = token
        if kind is COMMENT:
            return
        word = text[start:end].upper() if kind is WORD else ""
        previous, self._last = self._last, word
        if kind is END:
            copied, self._first, self._copies, self._creates_script = self._copies, "", False, False
            if copied:
                yield from self._copied(text, end, stop)
            return
        self._first = self._first or word or "?"
        if self._format:
            if self._first == "INSERT" and previous == "FORMAT" and word not in ("", "VALUES"):
                yield from _span(DATA, text, end, stop)
        elif self._scripts:
            if self._creates_script and word == "AS":
                yield from _span(DATA, text, end, stop)
            if word == "SCRIPT" and self._first == "CREATE" and previous not in _NAME_FOLLOWS:
                self._creates_script = True
        elif self._first == "COPY" and previous == "FROM" and word == "STDIN":
            self._copies = True

    @staticmethod
    def _copied(text: str, start: int, stop: int) -> Iterator[Token]:
        last_line = re.compile(r"^\\\.(?=\s*?$)", re.MULTILINE).search(text, start, stop)
        if not last_line:
            yield from _span(DATA, text, start, stop)
        else:
            yield from _span(DATA, text, start, last_line.start())
            yield END, last_line.start(), last_line.end()


_NAME_FOLLOWS = frozenset({"", "EXISTS", "TABLE", "VIEW"})  # a sign is ""


def _span(kind: str, text: str, start: int, stop: int) -> Iterator[Token]:
    """Yield what stands between two places without the white space and semicolons around it, if there is anything."""
    found = text[start:stop]
    inner = found.strip(_BLANK)
    if inner:
        start += len(found) - len(found.lstrip(_BLANK))
        yield kind, start, start + len(inner)


_BLANK = " \t\r\n\f\v;"


# --- what tokens look like, and where they end


Close = Callable[[str, int, int, int], int]
"""(text, start of the token, end of its opening, where to stop) -> the end of the token, or -1: it is not closed."""


_Form = tuple[str, str, Close | None]
"""What it is, a pattern, and where it ends; without, the pattern matches the whole token."""


def _form(kind: str, pattern: str, close: Close | None = None) -> _Form:
    return kind, pattern, close


def _until(closing: str) -> Close:
    """End at a fixed text."""

    def close(text: str, _start: int, after: int, stop: int) -> int:
        found = text.find(closing, after, stop)
        return found + len(closing) if found >= 0 else -1

    return close


def _until_opening(text: str, start: int, after: int, stop: int) -> int:
    """End at the same text that it began with."""
    return _until(text[start:after])(text, start, after, stop)


def _until_unescaped(quote: str, *escapes: str) -> Close:
    """End at a quote which is not part of an escape."""
    step = re.compile("|".join([*escapes, f"({re.escape(quote)})"]))

    def close(text: str, _start: int, after: int, stop: int) -> int:
        for found in step.finditer(text, after, stop):
            if found.lastindex:
                return found.end()
        return -1

    return close


def _until_balanced(text: str, _start: int, after: int, stop: int) -> int:
    """End a comment that may hold comments."""
    depth = 1
    for found in re.compile(r"/\*|\*/").finditer(text, after, stop):
        depth += 1 if found[0] == "/*" else -1
        if not depth:
            return found.end()
    return -1


def _until_bracket(text: str, _start: int, after: int, stop: int) -> int:
    """End ``q'[`` at ``]'``, and so on."""
    opening = text[after - 1]
    return _until(_CLOSING.get(opening, opening) + "'")(text, after, after, stop)


_CLOSING = {"[": "]", "(": ")", "{": "}", "<": ">"}


def _until_line_end(lexicon: LexicalRules) -> Close:
    """End a comment where its line ends, or where the text does."""
    pattern = r"(?<!\\)\n" if lexicon.continued_comments else r"\n"
    if lexicon.return_ends_comment:
        pattern += r"|\r(?!\n)"
    line_end = re.compile(pattern)

    def close(text: str, _start: int, after: int, stop: int) -> int:
        found = line_end.search(text, after, stop)
        return found.start() if found else stop

    return close


_BACKSLASH = r"\\[\s\S]?"
# PostgreSQL joins strings that only a line break parts, and keeps reading backslashes in the second.
_NEXT_LINE = r"'[ \t\f\v]*(?:--[^\r\n]*)?[\r\n](?:\s|--[^\r\n]*[\r\n])*'"


@lru_cache(maxsize=256)
def _grammar(lexicon: LexicalRules) -> tuple[Callable[[str, int, int], re.Match[str] | None], tuple[_Form, ...]]:
    """Return what matches the next token of a text, and the form of each of its groups."""
    forms = [*_words(lexicon), *_comments(lexicon), *_strings(lexicon), *_names(lexicon), *_signs(lexicon)]
    if lexicon.cautious:
        forms = [*_undisputed(), *_signs(lexicon)]
    pattern = "|".join(f"({pattern})" for _, pattern, _ in forms)
    nothing = _form(OTHER, "")  # groups are counted from 1
    return re.compile(rf"[\s\ufeff]*(?:{pattern})").match, (nothing, *forms)


def _words(lexicon: LexicalRules) -> Iterator[_Form]:
    """Words that are no prefix of a string, and the signs that begin nothing: most of a text, so they come first."""
    quotes = "['\"]" if lexicon.double == "string" else "'"
    prefixes = [f"(?:{_prefix(lexicon)}){quotes}"]
    if lexicon.e_strings:
        prefixes.append("[eE]'")
    if lexicon.raw_strings:
        prefixes.append(f"[rR]{quotes}")
    if lexicon.q_strings:
        prefixes.append("[nN]?[qQ]'")
    if lexicon.double != "string":
        prefixes.append('[uU]&"')
    no_prefix = f"(?!{'|'.join(prefixes)})"
    if lexicon.dashed_names:
        yield _form(WORD, rf"{no_prefix}[^\W\d]\w{{0,62}}(?:-\w{{1,62}}){{1,9}}(?=\.(?![eE][0-9])[^\W\d])")
    yield _form(WORD, no_prefix + (r"(?:[^\W\d]|#)[\w$#]*" if lexicon.hash_words else r"[^\W\d][\w$]*"))
    yield _form(OTHER, "[,()=]|\\.(?![0-9.])")


def _prefix(lexicon: LexicalRules) -> str:
    """Return what may stand before a quote and is part of the string."""
    return "[rR][bB]?|[bB][rR]?|[nNxX]" if lexicon.triple else "[bBnNxX]|[uU]&"


def _comments(lexicon: LexicalRules) -> Iterator[_Form]:
    line = ["--" if not lexicon.dash_space else r"--(?=[\x00-\x20]|\Z)"]
    if lexicon.hash_comments:
        line.append(lexicon.hash_comments)
    if lexicon.slash_comments:
        line.append("//")
    yield _form(COMMENT, "|".join(line), _until_line_end(lexicon))
    if lexicon.executable:
        yield _form(BRACKET, r"/\*M?!(?:[0-9]{5,6})?")
    yield _form(COMMENT, r"/\*", _until_balanced if lexicon.nested else _until("*/"))
    yield _form(COMMENT, r"\{#", _until("#}"))  # Jinja's


def _strings(lexicon: LexicalRules) -> Iterator[_Form]:
    quotes = ["'", '"'] if lexicon.double == "string" else ["'"]
    prefix = _prefix(lexicon)
    if lexicon.triple:
        for quote in quotes:
            yield _form(STRING, f"(?:{prefix})?{quote * 3}", _until_unescaped(quote * 3, _BACKSLASH))
    if lexicon.q_strings:
        yield _form(STRING, r"[nN]?[qQ]'\S", _until_bracket)
    for quote in quotes:
        if lexicon.raw_strings:
            yield _form(STRING, f"[rR]{quote}", _until(quote))
        if lexicon.e_strings:
            yield _form(STRING, f"[eE]{quote}", _until_unescaped(quote, _BACKSLASH, "''", _NEXT_LINE))
        inside = rf"[^{quote}\\]*" if lexicon.backslash else f"[^{quote}]*"
        escapes = [_BACKSLASH, quote * 2] if lexicon.backslash else [quote * 2]
        # Most strings have no escape: they are matched at once.
        yield _form(STRING, f"(?:{prefix})?{quote}{inside}{quote}(?!{quote})")
        yield _form(STRING, f"(?:{prefix})?{quote}", _until_unescaped(quote, *escapes))
    if lexicon.dollar:
        tag = r"(?:[^\W\d]\w*)?" if lexicon.dollar == "tag" else ""
        yield _form(STRING, rf"\${tag}\$", _until_opening)
    if lexicon.at_signs:
        yield _form(STRING, "@@", _until("@@"))
    if lexicon.curly_quotes:
        yield _form(STRING, "\u2018", _until("\u2019"))
        yield _form(STRING, "\u201c", _until("\u201d"))


def _names(lexicon: LexicalRules) -> Iterator[_Form]:
    escape = r"\\" if lexicon.backslash_in_names else ""
    quotes = ["`"] if lexicon.double == "string" else ["`", '"']
    for quote in quotes:
        prefix = "(?:[uU]&)?" if quote == '"' else ""
        whole = rf"{prefix}{quote}[^{quote}{escape}]*{quote}(?!{quote})"
        kind = NAME_OR_STRING if quote == '"' and lexicon.double == "either" else NAME
        escapes = [_BACKSLASH, quote * 2] if escape else [quote * 2]
        yield _form(kind, whole)
        yield _form(kind, prefix + quote, _until_unescaped(quote, *escapes))
    if lexicon.brackets:
        yield _form(NAME, r"\[", _until_unescaped("]", r"\]\]"))


def _signs(lexicon: LexicalRules) -> Iterator[_Form]:
    no_more = r"(?!\w|\.[0-9])"
    placeholders = [rf"(?:(?<=[(,=<>|+*/-])|(?<=[(,=<>|+*/-]\s)):[0-9]{{1,5}}{no_more}"]
    if not lexicon.money:
        placeholders.append(rf"\$[0-9]{{1,5}}{no_more}")
    if lexicon.numbered:
        placeholders.append(rf"\?[0-9]{{1,5}}{no_more}")
    yield _form(PLACEHOLDER, "|".join(placeholders))
    currency = r"\$?" if lexicon.money else ""
    fraction = r"\.[0-9]\w*|\.[eE][+-]?[0-9]\w*|\.(?![\w.])"
    yield _form(NUMBER, rf"{currency}\.?[0-9]\w*(?:{fraction})?(?:(?<=[eE])[+-][0-9]\w*)?")
    yield _form(END, ";")
    yield _form(OTHER, r"\.\.|\S")


# --- what all lexicons agree on


def _never(_text: str, _start: int, _after: int, _stop: int) -> int:
    return -1


def _until_undisputed(text: str, _start: int, after: int, stop: int) -> int:
    """End a comment that holds none."""
    found = text.find("*/", after, stop)
    return found + 2 if found >= 0 and text.find("/*", after, found + 1) < 0 else -1


def _undisputed() -> Iterator[_Form]:
    """Words, strings, names and comments that end where they end to all; where they may not, a string without end."""
    prefix = "(?:[rRbBnNxXeE]{1,2}|[uU]&)"
    before_data = "(?i:format|stdin|script)"
    yield _form(STRING, rf"{before_data}(?![\w$])", _never)
    yield _form(WORD, rf"(?!{prefix}['\"]|[nN]?[qQ]')[^\W\d][\w$]*")
    yield _form(OTHER, "[,()=]|\\.(?![0-9.])")
    yield _form(COMMENT, r"--(?:[ \t][^\r\n\\]*)?(?=\r?\n|\Z)")
    yield _form(STRING, r"--|#|//|@@|/\*[mM]?!|\$(?:[^\W\d]\w*)?\$|[\u2018\u201c]|[nN]?[qQ]'", _never)
    yield _form(COMMENT, r"/\*", _until_undisputed)
    yield _form(COMMENT, r"\{#", _until("#}"))
    for quote in ("'", '"', "`"):
        # No three quotes at its beginning, and no backslash before a quote unless they are even in number.
        inside = rf"[^{quote}\\]*(?:(?:{quote}{quote}|\\[^'\"`])[^{quote}\\]*)*"
        if quote == "`":
            yield _form(NAME, rf"`{inside}`(?!`)")
        else:
            yield _form(STRING, rf"{prefix}?{quote}(?!{quote}{quote}){inside}{quote}(?!{quote})")
        yield _form(STRING, f"{prefix}?{quote}", _never)
    # A name in brackets, or words and numbers.
    yield _form(OTHER, rf"\[(?=[\w ?.,]{{0,300}}\](?!\]))(?![^\]]*{before_data})")
    yield _form(STRING, r"\[", _never)
