"""Secrets: found everywhere, warned about where they stand open, shown nowhere."""

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config import InvalidConfiguration, load_config
from gateway.config.secrets import learn_secrets
from gateway.errors import SecretUnreadable
from gateway.telemetry.redaction import REDACTOR

Write = Callable[..., Path]

CANARY = "canary-7f3a9c"


def config_text(api_key: str, more: str = "") -> str:
    """One account and one sink, with this API key."""
    return (
        "accounts:\n  a:\n    venue: acme\n"
        f"    credentials: {{api_key: {api_key}, secret: {{env: S}}}}\n"
        f"sinks:\n  p: {{type: pigeon, lofts: [], secrets: [{{env: A}}, {{env: B}}]}}\n{more}"
    )


def test_all_secrets_are_found_with_their_path(write: Write) -> None:
    """Those of accounts, of lists in sinks, and the HTTP token."""
    config = load_config(write(config_text("{env: K}", "http: {token: {file: /t}}\n")))

    assert [path for path, _ in config.secrets()] == [
        "http.token",
        "accounts.a.credentials.api_key",
        "accounts.a.credentials.secret",
        "sinks.p.secrets[0]",
        "sinks.p.secrets[1]",
    ]


def test_a_disabled_account_needs_no_secret(write: Write) -> None:
    """What does not run does not have to be readable."""
    text = config_text("{env: K}").replace("venue: acme\n", "venue: acme\n    enabled: false\n")

    paths = [path for path, _ in load_config(write(text)).secrets()]

    assert paths == ["sinks.p.secrets[0]", "sinks.p.secrets[1]"]


def test_every_unreadable_secret_is_named(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All references that cannot be read are told at once, with the option's path."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    for name in ("S", "A", "B"):
        monkeypatch.delenv(name, raising=False)
    config = load_config(write(config_text(f"{{file: {tmp_path}/none}}")))

    with pytest.raises(SecretUnreadable) as caught:
        learn_secrets(config.secrets())

    assert str(caught.value).splitlines() == [
        f"accounts.a.credentials.api_key: file:{tmp_path}/none: No such file or directory",
        "accounts.a.credentials.secret: env:S: not set or empty",
        "sinks.p.secrets[0]: env:A: not set or empty",
        "sinks.p.secrets[1]: env:B: not set or empty",
    ]


def test_learned_secrets_are_redacted(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once read, a secret's value is known to the net behind the logs."""
    for name in ("K", "S", "A", "B"):
        monkeypatch.setenv(name, f"{CANARY}-{name}")

    learn_secrets(load_config(write(config_text("{env: K}"))).secrets())

    assert REDACTOR.redact(f"key={CANARY}-K") == "key=[redacted]"


def test_a_literal_secret_draws_a_warning(write: Write) -> None:
    """It works, but the operator is told a better way; the value is not repeated."""
    path = write(config_text(CANARY))

    config = load_config(path)

    [warning] = config.warnings
    place = f"{path}:4:28: accounts.a.credentials.api_key"
    assert str(warning).startswith(f"{place}: the secret itself stands in this file (use {{env:")
    assert config.accounts["a"].settings.credentials.api_key.read() == CANARY  # type: ignore[attr-defined] # the settings of this venue


@pytest.mark.parametrize("open_file", ["configuration", "secret"])
def test_files_that_every_user_can_read(open_file: str, write: Write) -> None:
    """A secret file, or a configuration that holds a secret, should not be public."""
    key = write("key\n", "key")
    path = write(config_text(CANARY if open_file == "configuration" else f"{{file: {key}}}"))
    (path if open_file == "configuration" else key).chmod(0o644)

    warnings = [str(warning) for warning in load_config(path).warnings]

    assert any("every user of this machine can read" in line for line in warnings)


@pytest.mark.parametrize(
    "form",
    [
        CANARY,
        f"'{CANARY}'",
        f"[{CANARY}]",
        f"{{{CANARY}: null}}",
        f"{{{CANARY}}}",
        f"{{env: {CANARY}}}",
        f"{{env: [{CANARY}]}}",
        f"{{vault: {CANARY}}}",
        f"{{env: K, file: {CANARY}}}",
        f"!secret {CANARY}",
        f"&{CANARY} {CANARY}",
        f"*{CANARY}",
        f'"{CANARY}\\q"',
        f"'{CANARY}",
        f"{CANARY}: {CANARY}: x",
        f"|\n{CANARY}",
    ],
)
def test_a_canary_never_shows(form: str, write: Write) -> None:
    """However a secret is mistyped, neither messages, tracebacks nor reprs repeat it."""
    text = config_text(form, "log: {level: loud}\n")
    try:
        load_config(write(text))
    except InvalidConfiguration as error:
        shown = [str(error), repr(error), repr(error.mistakes), repr(error.warnings)]
        shown += traceback.format_exception(error)
    else:
        pytest.fail("the log level is wrong at least")

    assert CANARY not in "".join(shown)


def test_settings_do_not_show_a_literal(write: Write) -> None:
    """The repr of a whole configuration, as in a traceback with locals."""
    config = load_config(write(config_text(CANARY)))

    assert CANARY not in repr(config)
    assert CANARY not in str(config.accounts["a"].settings)


def test_a_proxy_password_is_redacted(write: Write) -> None:
    """A proxy's address may hold a password; it is a secret like others."""
    text = config_text("{env: K}").replace(
        "venue: acme\n", "venue: acme\n    proxy: 'http://me:proxy%2Dcanary@localhost:3128'\n"
    )

    load_config(write(text))

    assert REDACTOR.redact("CONNECT me:proxy%2Dcanary@") == "CONNECT me:[redacted]@"
    assert REDACTOR.redact("password proxy-canary") == "password [redacted]"
