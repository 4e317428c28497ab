"""What the server answers, and what follows from it.

The API's page promises a 200 for what was accepted and nothing else, so every answer is put into a class.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from urllib3.exceptions import DecodeError, HTTPError

from airflow_provider_ryft.ingest.network_errors import NoResponseError

if TYPE_CHECKING:
    import requests

MAX_MESSAGE_LENGTH = 500
MAX_BODY_LENGTH = 1 << 16


@dataclass(frozen=True)
class Response:
    """What the server said.

    :param status: the HTTP status
    :param message: the beginning of the body as one line of text, without the token should the server repeat it
    :param retry_after: seconds that the server asks to wait
    :param is_html: whether the body is a page for people, which an API does not send
    :param location: where a redirect points to: scheme and host only
    """

    status: int
    message: str = ""
    retry_after: float | None = None
    is_html: bool = False
    location: str = ""


class ResponseClass(Enum):
    """The class of an answer."""

    ACCEPTED = "accepted"
    LATER = "later"  # may be cured by a later try: tried again with full jitter until the deadline, as no answer is
    REFUSED = "refused"  # for what was sent: the batch is halved until what is refused is alone
    TOO_LARGE = "too large"  # the same, halved by bytes
    MISCONFIGURED = "misconfigured"  # everything else: the queries are good, it needs manual action


# 408 and 425 ask for another try, 429 and 503 name a time; 52x are Cloudflare's, 529 is an overloaded origin.
_CLASSES = dict.fromkeys((408, 425, 429, 500, 502, 503, 504, *range(520, 525), 529), ResponseClass.LATER)
_CLASSES |= {400: ResponseClass.REFUSED, 422: ResponseClass.REFUSED, 413: ResponseClass.TOO_LARGE}


def classify_status(status: int) -> ResponseClass:
    """Put an HTTP status into its class."""
    return ResponseClass.ACCEPTED if 200 <= status < 300 else _CLASSES.get(status, ResponseClass.MISCONFIGURED)


def explain(answer: Response, base_url: str) -> str:
    """Say in a sentence or two what an answer of something else than an Ingest API means and what to do about it."""
    status = answer.status
    said = f" It says: {answer.message}" if answer.message else ""
    if answer.is_html and classify_status(status) is not ResponseClass.MISCONFIGURED:
        return (
            f"{base_url} answered {status} with a page for people, which an Ingest API does not: it may be the login "
            "page of a proxy. Check the address and what is before it."
        )
    if status in (401, 403):
        return (
            f"{base_url} refused the ingest token ({status}). Put a valid token of your Ryft environment there.{said}"
        )
    if 300 <= status < 400:
        where = f" to {answer.location}" if answer.location else ""
        return (
            f"{base_url} redirects{where} ({status}), which is not followed because the token would go along. "
            "Put the address where the Ingest API really is."
        )
    if status in (404, 405, 410):
        return f"There is no Ingest API at {base_url} ({status}). Check the address, its port and its path.{said}"
    if status == 407:
        return f"The proxy before {base_url} wants a login (407). Put it into the proxy's address."
    return f"{base_url} answered {status}, which an Ingest API does not. Check the address and what is before it.{said}"


def read_response(response: requests.Response, token: str) -> Response:
    """Read an answer; a 2xx counts only when it has arrived whole, because a broken one confirms nothing.

    :param response: whose body was not read yet
    :param token: what must not be shown, should the server repeat it
    :raises NoResponseError: for a 2xx that broke off
    """
    body = b""
    broken = False
    try:
        body = response.raw.read(MAX_BODY_LENGTH, decode_content=True)
        broken = len(body) < MAX_BODY_LENGTH and bool(response.raw.length_remaining)
    except DecodeError:
        pass  # it arrived, as garbage
    except (HTTPError, OSError):
        broken = True
    if broken and 200 <= response.status_code < 300:
        raise NoResponseError("connection", "the connection broke in the middle of its answer")
    is_html = "html" in response.headers.get("Content-Type", "").lower() and body.lstrip().startswith(b"<")
    return Response(
        status=response.status_code,
        message="(an HTML page)" if is_html else _message(body, token),
        retry_after=retry_after(response.headers.get("Retry-After")),
        is_html=is_html,
        location=_location(response.headers.get("Location", ""), token),
    )


def retry_after(value: str | None) -> float | None:
    """Read a ``Retry-After`` header (RFC 9110, 10.2.3): seconds or a date; nonsense is ``None``, the past is 0."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]{1,12}", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def _message(body: bytes, token: str) -> str:
    text = " ".join(body.decode("utf-8", "replace").split())
    text = "".join(character for character in text if character.isprintable()).replace(token, "***")
    return text if len(text) <= MAX_MESSAGE_LENGTH else f"{text[:MAX_MESSAGE_LENGTH]}…"


def _location(value: str, token: str) -> str:
    """Reduce a ``Location`` to scheme and host: the rest may repeat what was sent."""
    try:
        address = urlsplit(value)
        host = address.hostname
    except ValueError:
        return ""
    if not host or len(host) > 253 or not host.isprintable() or token.lower() in host:
        return ""
    return f"{address.scheme}://{host}" if address.scheme else host
