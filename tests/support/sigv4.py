"""Signature Version 4 as a client makes it. Python's standard library only; independent of the server's code."""

import datetime
import hashlib
import hmac
from urllib.parse import parse_qsl, quote, urlsplit


def _mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(secret, date, region, service, to_sign):
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = _mac(key, part)
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def sign(method, url, headers, body, key_id, secret, service="states", region="us-east-1", at=None):
    """`headers` with X-Amz-Date and Authorization: what a request of that body is sent with."""
    parts = urlsplit(url)
    time = (at or now()).strftime("%Y%m%dT%H%M%SZ")
    headers = {**headers, "Host": parts.netloc, "X-Amz-Date": time}
    lines = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    names = ";".join(name for name, _ in lines)
    query = "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
                            for name, value in parse_qsl(parts.query, keep_blank_values=True)))
    canonical = "\n".join([method, quote(parts.path or "/", safe="/-_.~"), query,
                           *(f"{name}:{value}" for name, value in lines), "", names, hashlib.sha256(body).hexdigest()])
    scope = f"{time[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, "
                                f"Signature={signature(secret, time[:8], region, service, to_sign)}")
    return headers
