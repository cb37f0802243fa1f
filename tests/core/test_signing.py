"""Keys of readers and what is signed with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mac_actors.core.signing import Key, ReaderKeys, is_signed, read_secret, sign

NOW = datetime(2026, 11, 26, 18, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
FIRST, SECOND, THIRD = (Key(bytes([number]) * 32, NOW) for number in (1, 2, 3))


def test_a_signature_is_that_of_rfc_4231() -> None:
    secret, data = bytes([0x0B]) * 20, b"Hi There"
    expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    assert sign(secret, data) == sign(secret, "Hi", b" There") == expected
    assert is_signed(secret, expected, data)


@pytest.mark.parametrize("wrong", ["", "b0344c61", "B0344C61" + "0" * 56, "ü" * 64, "\ud800"])
def test_anything_else_is_no_signature(wrong: str) -> None:
    assert not is_signed(FIRST.secret, wrong, b"body")


def test_a_key_is_read_as_it_is_shown_and_nothing_else_is_one() -> None:
    assert read_secret("0f" * 32) == bytes([15]) * 32
    for wrong in ("", "0f" * 31, "0f" * 33, "0f " * 32, "xy" * 32, " " + "0f" * 32):
        with pytest.raises(ValueError, match="64 hexadecimal digits") as error:
            read_secret(wrong)
        assert not wrong or wrong not in str(error.value)


def test_a_key_is_not_in_its_repr() -> None:
    assert "x01" not in repr(ReaderKeys(FIRST))
    assert FIRST.secret.hex() not in repr(ReaderKeys(FIRST))


def test_while_a_key_rotates_both_are_good_until_the_new_one_is_used() -> None:
    rotating = ReaderKeys(FIRST).rotated(SECOND)
    assert [rotating.signer(sign(key.secret, "a"), "a") for key in (FIRST, SECOND, THIRD)] == [FIRST, SECOND, None]
    used = rotating.used(FIRST, LATER)
    assert [key.secret for key in used] == [FIRST.secret, SECOND.secret]
    used = used.used(SECOND, LATER)
    assert used == ReaderKeys(Key(SECOND.secret, NOW, LATER))


def test_rotated_twice_the_key_that_was_never_used_is_dropped() -> None:
    assert list(ReaderKeys(FIRST).rotated(SECOND).rotated(THIRD)) == [FIRST, THIRD]


def test_the_first_use_alone_is_noted() -> None:
    once = ReaderKeys(FIRST).used(FIRST, NOW)
    assert once.key.used_since == NOW
    assert once.used(once.key, LATER) is once
