"""Bodies in chunks, joined in memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mac_actors.web.server.chunks import join_chunks


def _chunked(parts: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"


@given(st.lists(st.binary(max_size=50), max_size=8), st.binary(max_size=20), st.binary(max_size=20))
def test_the_parts_come_back_joined_and_what_follows_is_left(parts: list[bytes], before: bytes, after: bytes) -> None:
    wire = _chunked(parts)
    assert join_chunks(before + wire + after, len(before)) == (b"".join(parts), len(before) + len(wire))


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=5), st.data())
def test_what_is_not_complete_yet_is_waited_for(parts: list[bytes], data: st.DataObject) -> None:
    wire = _chunked(parts)
    assert join_chunks(wire[: data.draw(st.integers(0, len(wire) - 1))], 0) is None


def test_extensions_and_trailers_are_dropped() -> None:
    wire = b'3;name="x"\r\nabc\r\n0;last\r\nX-Sum: 1\r\nX-More: 2\r\n\r\nGET /'
    assert join_chunks(wire, 0) == (b"abc", len(wire) - 5)


@pytest.mark.parametrize(
    "wire",
    [
        b"xyz\r\n",
        b"\r\n",
        b"-1\r\nabc\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"123456789\r\n",
        b"3\nabc\r\n0\r\n\r\n",
        b"1" * 5000,
    ],
)
def test_what_can_not_become_chunks_is_an_error(wire: bytes) -> None:
    with pytest.raises(ValueError, match="chunk"):
        join_chunks(wire, 0)
