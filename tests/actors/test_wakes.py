"""Wake-ups are put off by the thread that gathers them, and by no other one; none is lost."""

from __future__ import annotations

import threading

import pytest

from mac_actors.actors import wakes


def test_who_gathers_nothing_wakes_at_once() -> None:
    woken: list[str] = []
    wakes.wake(lambda: woken.append("a"))
    assert woken == ["a"]
    assert not wakes.gathered()


def test_each_is_woken_once_in_the_order_in_which_it_was_first_wanted() -> None:
    woken: list[str] = []

    def journal() -> None:
        woken.append("journal")

    def publisher() -> None:
        woken.append("publisher")

    with wakes.gathering():
        for call in (journal, publisher, journal):
            wakes.wake(call)
        assert wakes.gathered()
        assert woken == []
        wakes.flush()
        assert woken == ["journal", "publisher"]
        assert not wakes.gathered()
        wakes.wake(publisher)
    assert woken == ["journal", "publisher", "publisher"]


def test_what_is_put_off_is_done_when_the_block_fails() -> None:
    woken: list[str] = []
    with pytest.raises(ZeroDivisionError), wakes.gathering():
        wakes.wake(lambda: woken.append("journal"))
        raise ZeroDivisionError
    assert woken == ["journal"]


def test_another_thread_puts_nothing_off() -> None:
    woken: list[str] = []
    with wakes.gathering():
        other = threading.Thread(target=wakes.wake, args=[lambda: woken.append("journal")])
        other.start()
        other.join()
        assert woken == ["journal"]
