"""Credentials stay in the environment: an address that holds one is refused, and no message or record repeats one."""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, quote

from trainables.errors import StoreError

_SECRET_NAME = re.compile(
    r"SECRET|TOKEN|PASSW|PASSPHRASE|CREDENTIAL|SIGNATURE|CONNECTION_?STRING|(API|ACCESS|ACCOUNT|PRIVATE)_?KEY"
    r"|(^|_)(KEY|SAS|PAT)(_|$)|_(PASS|PWD)(_|$)",  # PWD alone is the working folder
    re.I,
)
_SHORTEST = 8
"""Shorter values ("true", "json") are settings, and too likely to occur in a message by chance."""
_IN_ADDRESS = re.compile(r"(://)[^/\s@]*:[^\s@]*@")
_AWS_KEY_ID = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b")
HIDDEN = "***"


def is_secret(name: str) -> bool:
    """Whether a variable or option of this name is likely to hold a credential."""
    return _SECRET_NAME.search(name) is not None


def refuse_credentials(uri: str) -> None:
    """Raise StoreError if a store's address holds a password, a key or a token; the message does not repeat it."""
    scheme, separator, rest = uri.partition("://")
    place, _, options = rest.partition("?")
    user = place.rpartition("@")[0]  # of the whole place: an AWS secret may hold a slash
    named = [name for name, _ in parse_qsl(options, keep_blank_values=True) if is_secret(name)]
    if separator and (":" in user or (user and scheme == "s3") or named):
        where = f"its option {named[0]}" if named else "what stands before its @"
        raise StoreError(
            f"a store's address must not hold credentials, but {where} is one; leave it out and give it where the "
            "program that needs it looks: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, ~/.aws, or "
            "the machine's instance role (other clouds alike)"
        )


def redact(text: str) -> str:
    """``text`` without the values of this process's secret environment variables and without passwords in addresses."""
    secrets = {v for name, v in os.environ.items() if len(v) >= _SHORTEST and is_secret(name)}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN).replace(quote(secret, safe=""), HIDDEN)
    return _AWS_KEY_ID.sub(HIDDEN, _IN_ADDRESS.sub(rf"\1{HIDDEN}@", text))
