"""SQL text cut into tokens, by the lexical rules of a dialect.

Everything is linear in the length of the text: no pattern can match one text in two ways, the end of what was opened is
found by one search from left to right, and what is never closed reaches to the end of the text, so that no search is
made in vain twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from functools import lru_cache

from airflow_provider_ryft.sql.dialects import LexicalRules, has_marker

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


def tokens(text: str, rules: LexicalRules) -> Iterator[Token]:
    """Cut a text into tokens.

    :param rules: one of its :func:`possible_rules`
    """
    yield from _code(text, 0, len(text), rules)


def _code(text: str, position: int, stop: int, rules: LexicalRules) -> Generator[Token, None, bool]:
    """Cut ``text[position:stop]``; a token that is not closed there reaches to the end of the text, and is the last.

    :return: whether there was one
    """
    match_at, forms = _grammar(rules)
    data = _TrailingData(rules) if _may_have_data(text, rules) else None
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
                # A server that skips the comment ends it here too, or this is where two servers read on differently.
                if (yield from _code(text, position, closed, rules)):
                    return True
                start, position = closed, closed + 2
        yield kind, start, position
        if data:
            for token in data.after(text, (kind, start, position), stop):
                yield token
                position = token[2]
    return False


def _may_have_data(text: str, rules: LexicalRules) -> bool:
    traits = ("format_data", "copy_data", "scripts")
    return any(getattr(rules, trait) and has_marker(text.lower(), trait) for trait in traits)


class _TrailingData:
    """Finds the data that follows a statement in the same text."""

    def __init__(self, rules: LexicalRules) -> None:
        self._format = rules.format_data
        self._scripts = rules.scripts
        self._first = self._last = ""  # keywords of the statement
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
            if word == "SCRIPT" and self._first == "CREATE" and previous not in _SCRIPT_IS_NAME_AFTER:
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


_SCRIPT_IS_NAME_AFTER = frozenset({"", "EXISTS", "TABLE", "VIEW"})  # a sign is ""


def _span(kind: str, text: str, start: int, stop: int) -> Iterator[Token]:
    """Yield what is between two places without the white space and semicolons around it, if there is anything."""
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
    return _until(_CLOSING_BRACKETS.get(opening, opening) + "'")(text, after, after, stop)


_CLOSING_BRACKETS = {"[": "]", "(": ")", "{": "}", "<": ">"}


def _until_line_end(rules: LexicalRules) -> Close:
    """End a comment where its line ends, or where the text does."""
    pattern = r"(?<!\\)\n" if rules.continued_comments else r"\n"
    if rules.return_ends_comment:
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
def _grammar(rules: LexicalRules) -> tuple[Callable[[str, int, int], re.Match[str] | None], tuple[_Form, ...]]:
    """Return what matches the next token of a text, and the form of each of its groups."""
    forms = [*_words(rules), *_comments(rules), *_strings(rules), *_names(rules), *_signs(rules)]
    if rules.cautious:
        forms = [*_undisputed(), *_signs(rules)]
    pattern = "|".join(f"({pattern})" for _, pattern, _ in forms)
    nothing = _form(OTHER, "")  # groups are counted from 1
    return re.compile(rf"[\s\ufeff]*(?:{pattern})").match, (nothing, *forms)


def _words(rules: LexicalRules) -> Iterator[_Form]:
    """Words that are no prefix of a string, and the signs that begin nothing: most of a text, so they come first."""
    quotes = "['\"]" if rules.double == "string" else "'"
    prefixes = [f"(?:{_prefix(rules)}){quotes}"]
    if rules.e_strings:
        prefixes.append("[eE]'")
    if rules.raw_strings:
        prefixes.append(f"[rR]{quotes}")
    if rules.q_strings:
        prefixes.append("[nN]?[qQ]'")
    if rules.double != "string":
        prefixes.append('[uU]&"')
    no_prefix = f"(?!{'|'.join(prefixes)})"
    if rules.dashed_names:
        yield _form(WORD, rf"{no_prefix}[^\W\d]\w{{0,62}}(?:-\w{{1,62}}){{1,9}}(?=\.(?![eE][0-9])[^\W\d])")
    yield _form(WORD, no_prefix + (r"(?:[^\W\d]|#)[\w$#]*" if rules.hash_words else r"[^\W\d][\w$]*"))
    yield _form(OTHER, "[,()=]|\\.(?![0-9.])")


def _prefix(rules: LexicalRules) -> str:
    """Return what may be before a quote and is part of the string."""
    return "[rR][bB]?|[bB][rR]?|[nNxX]" if rules.triple else "[bBnNxX]|[uU]&"


def _comments(rules: LexicalRules) -> Iterator[_Form]:
    line = ["--" if not rules.dash_space else r"--(?=[\x00-\x20]|\Z)"]
    if rules.hash_comments:
        line.append(rules.hash_comments)
    if rules.slash_comments:
        line.append("//")
    yield _form(COMMENT, "|".join(line), _until_line_end(rules))
    if rules.executable:
        yield _form(BRACKET, r"/\*M?!(?:[0-9]{5,6})?")
    yield _form(COMMENT, r"/\*", _until_balanced if rules.nested else _until("*/"))
    yield _form(COMMENT, r"\{#", _until("#}"))  # Jinja's


def _strings(rules: LexicalRules) -> Iterator[_Form]:
    quotes = ["'", '"'] if rules.double == "string" else ["'"]
    prefix = _prefix(rules)
    if rules.triple:
        for quote in quotes:
            yield _form(STRING, f"(?:{prefix})?{quote * 3}", _until_unescaped(quote * 3, _BACKSLASH))
    if rules.q_strings:
        yield _form(STRING, r"[nN]?[qQ]'\S", _until_bracket)
    for quote in quotes:
        if rules.raw_strings:
            yield _form(STRING, f"[rR]{quote}", _until(quote))
        if rules.e_strings:
            yield _form(STRING, f"[eE]{quote}", _until_unescaped(quote, _BACKSLASH, "''", _NEXT_LINE))
        inside = rf"[^{quote}\\]*" if rules.backslash else f"[^{quote}]*"
        escapes = [_BACKSLASH, quote * 2] if rules.backslash else [quote * 2]
        # Most strings have no escape: they are matched at once.
        yield _form(STRING, f"(?:{prefix})?{quote}{inside}{quote}(?!{quote})")
        yield _form(STRING, f"(?:{prefix})?{quote}", _until_unescaped(quote, *escapes))
    if rules.dollar:
        tag = r"(?:[^\W\d]\w*)?" if rules.dollar == "tag" else ""
        yield _form(STRING, rf"\${tag}\$", _until_opening)
    if rules.at_signs:
        yield _form(STRING, "@@", _until("@@"))
    if rules.curly_quotes:
        yield _form(STRING, "\u2018", _until("\u2019"))
        yield _form(STRING, "\u201c", _until("\u201d"))


def _names(rules: LexicalRules) -> Iterator[_Form]:
    escape = r"\\" if rules.backslash_in_names else ""
    quotes = ["`"] if rules.double == "string" else ["`", '"']
    for quote in quotes:
        prefix = "(?:[uU]&)?" if quote == '"' else ""
        whole = rf"{prefix}{quote}[^{quote}{escape}]*{quote}(?!{quote})"
        kind = NAME_OR_STRING if quote == '"' and rules.double == "either" else NAME
        escapes = [_BACKSLASH, quote * 2] if escape else [quote * 2]
        yield _form(kind, whole)
        yield _form(kind, prefix + quote, _until_unescaped(quote, *escapes))
    if rules.brackets:
        yield _form(NAME, r"\[", _until_unescaped("]", r"\]\]"))


def _signs(rules: LexicalRules) -> Iterator[_Form]:
    no_more = r"(?!\w|\.[0-9])"
    placeholders = [rf"(?:(?<=[(,=<>|+*/-])|(?<=[(,=<>|+*/-]\s)):[0-9]{{1,5}}{no_more}"]
    if not rules.money:
        placeholders.append(rf"\$[0-9]{{1,5}}{no_more}")
    if rules.numbered:
        placeholders.append(rf"\?[0-9]{{1,5}}{no_more}")
    yield _form(PLACEHOLDER, "|".join(placeholders))
    currency = r"\$?" if rules.money else ""
    fraction = r"\.[0-9]\w*|\.[eE][+-]?[0-9]\w*|\.(?![\w.])"
    yield _form(NUMBER, rf"{currency}\.?[0-9]\w*(?:{fraction})?(?:(?<=[eE])[+-][0-9]\w*)?")
    yield _form(END, ";")
    yield _form(OTHER, r"\.\.|\S")


# --- what all dialects agree on


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
