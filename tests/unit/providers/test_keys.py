"""Keys: found, refused, and never shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbook.errors import CredentialError
from benchbook.providers import keys

SECRETS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="[]*"), min_size=keys.SHORTEST, max_size=40
)


def test_a_key_is_read_without_its_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", " sk-123\n")
    assert keys.read("SOME_KEY") == "sk-123"
    monkeypatch.setenv("SOME_KEY", " ")
    assert keys.read("SOME_KEY") is None
    monkeypatch.delenv("SOME_KEY")
    assert keys.read("SOME_KEY") is None


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "sn\u00f6", "bell\a"])
def test_what_no_header_can_carry_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SOME_KEY", value)
    with pytest.raises(CredentialError) as caught:
        keys.read("SOME_KEY")
    assert "$SOME_KEY" in str(caught.value)
    assert value not in str(caught.value)


@given(SECRETS, st.text(max_size=20), st.text(max_size=20))
def test_scrubbed_text_holds_no_secret(secret: str, before: str, after: str) -> None:
    assert secret not in keys.scrub(f"{before}{secret}{after}", [secret])
    raw = f"{before}{secret}{after}".encode()
    masked = keys.mask(raw, [secret])
    assert len(masked) == len(raw)
    assert secret.encode() not in masked


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Incorrect API key provided: sk-proj-****abcd.", "Incorrect API key provided: [key]"),
        ("AKIAIOSFODNN7EXAMPLE is not valid", "[key] is not valid"),
        ("Bearer abcdefgh12345678 refused", "Bearer [key] refused"),
        ("the risk-free disk-based desk-top", "the risk-free disk-based desk-top"),
        ("the bearer of news", "the bearer of news"),
    ],
)
def test_what_looks_like_a_key_goes_too(text: str, scrubbed: str) -> None:
    assert keys.scrub(text) == scrubbed


def test_placeholders_are_no_secrets() -> None:
    assert keys.hide("EMPTY handed", ["EMPTY"]) == "EMPTY handed"
    assert keys.mask(b"EMPTY handed", ["EMPTY"]) == b"EMPTY handed"
