"""Credentials are refused where they would be stored, and struck out where a message repeats them."""

from __future__ import annotations

import pytest

from trainables.errors import StoreError
from trainables.secrets import is_secret, redact, refuse_credentials


@pytest.mark.parametrize(
    "uri",
    [
        "s3://AKIDEXAMPLE:wJalrXUtnFEMI@bucket/p",
        "s3://AKIDEXAMPLE:wJal/XUtnFEMI+K7@bucket/p?region=r",
        "s3://AKIDEXAMPLE@bucket/p",
        "s3://bucket/p?region=r&secret_key=wJalrXUtnFEMI",
        "abfs://:wJalrXUtnFEMI@account.blob.core.windows.net/container",
        "abfs://container@account.dfs.core.windows.net/p?sas_token=wJalrXUtnFEMI",
    ],
)
def test_an_address_with_credentials_is_refused_without_repeating_them(uri: str) -> None:
    with pytest.raises(StoreError, match=r"must not hold credentials.*AWS_SECRET_ACCESS_KEY.*instance role") as refused:
        refuse_credentials(uri)
    assert "wJal" not in str(refused.value) and "AKIDEXAMPLE" not in str(refused.value)


@pytest.mark.parametrize(
    "uri",
    [
        "results",
        "/data/a:b@c/results",
        "s3://bucket/p?region=eu-west-1&scheme=http&endpoint_override=127.0.0.1:9000",
        "gs://anonymous@bucket/p",
        "abfs://container@account.dfs.core.windows.net/p",
        "hdfs://user@host:8020/p",
    ],
)
def test_other_addresses_are_let_pass(uri: str) -> None:
    refuse_credentials(uri)


def test_secrets_of_the_environment_are_struck_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJal/XUtn+FEMI")
    monkeypatch.setenv("SOME_API_TOKEN", "wJal/XUtn+FEMI-and-more")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("MY_TOKEN", "yes")
    text = "signed with wJal/XUtn+FEMI or wJal/XUtn+FEMI-and-more, ?key=wJal%2FXUtn%2BFEMI in eu-central-1: yes"
    assert redact(text) == "signed with *** or ***, ?key=*** in eu-central-1: yes"
    assert redact("GET https://me:pass/word@host/p, AKIAIOSFODNN7EXAMPLE") == "GET https://***@host/p, ***"
    assert redact("https://host/p a@b") == "https://host/p a@b"


@pytest.mark.parametrize("name", ["SSH_PASSPHRASE", "OPENAI_APIKEY", "apiKey", "GITHUB_PAT", "DB_PASS", "MYSQL_PWD"])
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["PWD", "OLDPWD", "PATH", "PYTHONPATH", "SSH_AUTH_SOCK", "KEYBOARD", "PASSENV"])
def test_names_of_what_everybody_may_see(name: str) -> None:
    """The working folder above all: it is in most messages."""
    assert not is_secret(name)
