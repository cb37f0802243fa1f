"""The way of a log line: nobody who logs waits, what outsiders send is short, and what is left out is counted."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mac_actors.service import log_queue
from mac_actors.service.log_queue import LONGEST, ONE_PLACE, QUEUED, SAME, WINDOW_SECONDS, LogQueue, Repetitions
from tests.fakes import PATIENCE, Clock, wait_until

INSIDE, OUTSIDE = "mac_actors.fleet.fleet", "mac_actors.web.errors"


def line(text: str, *values: object, name: str = INSIDE, lineno: int = 1) -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, "file.py", lineno, text, values, None)


@contextmanager
def log_into_pipe() -> Iterator[tuple[LogQueue, int]]:
    readable, writable = os.pipe()
    log = LogQueue(writable)
    try:
        yield log, readable
    finally:
        log.close()
        os.close(writable)
        os.close(readable)


def read_until(descriptor: int, word: str) -> list[str]:
    said = b""
    while word.encode() not in said.rpartition(b"\n")[0]:
        said += os.read(descriptor, 65536)
    return said.decode().splitlines()


def test_who_logs_does_not_wait_for_a_reader_and_what_was_left_out_is_said_when_there_is_one() -> None:
    lines = QUEUED + 1000  # more than the pipe and the queue take together
    with log_into_pipe() as (log, readable):
        for number in range(lines):
            log.handle(line(f"{number} {'x' * 100}"))
        lost = log.left_out["unwritable"]
        assert 0 < lost <= 1000
        said = read_until(readable, "were left out here")
        written = [int(text.split()[0]) for text in said[:-1]]
        assert written == sorted(set(written))
        assert len(written) == lines - lost
        assert said[-1] == f"{lost} log lines were left out here, because they could not be written"
        log.handle(line("all is well again"))
        assert read_until(readable, "again") == ["all is well again"]


def test_a_stop_does_not_wait_for_a_reader_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_queue, "CLOSE_SECONDS", 0.05)
    with log_into_pipe() as (log, readable):
        for number in range(2000):
            log.handle(line(f"{number} {'x' * 100}"))
        log.close()
        assert os.read(readable, 4).split()[0] == b"0"
        read_until(readable, "1999 ")


def test_the_end_waits_for_lines_that_can_be_written_and_a_later_one_is_written_too() -> None:
    with log_into_pipe() as (log, readable):
        log.handle(line("the last words"))
        log.close()
        assert os.read(readable, 1000) == b"the last words\n"
        log.handle(line("and one more"))
        assert read_until(readable, "more") == ["and one more"]


def test_a_line_may_be_logged_in_the_midst_of_another_one() -> None:
    """As the garbage collector does it: asyncio and others log of what they find unfinished."""
    with log_into_pipe() as (log, readable):

        class Unfinished:
            def __str__(self) -> str:
                log.handle(line("ended unfinished"))
                return "a line"

        thread = threading.Thread(target=log.handle, args=(line("%s", Unfinished()),), daemon=True)
        thread.start()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        log.handle(line("the end"))
        assert {*read_until(readable, "the end")} == {"ended unfinished", "a line", "the end"}


def test_a_descriptor_that_takes_nothing_harms_nobody() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    log = LogQueue(full)
    log.handle(line("a"))
    log.handle(line("b"))
    wait_until(lambda: log.left_out["unwritable"] == 2)
    log.close()
    os.close(full)


def test_a_call_that_is_wrong_is_counted_and_raises_nothing() -> None:
    with log_into_pipe() as (log, _):
        log.handle(line("%d", "no number"))
        assert log.left_out["unwritable"] == 1


def test_the_same_line_is_written_a_few_times_and_then_counted() -> None:
    clock = Clock()
    seen = Repetitions(clock)
    assert [seen.admits(line("the disk %s", "is full")) for _ in range(SAME + 7)] == [True] * SAME + [False] * 7
    assert seen.admits(line("the disk %s", "is slow"))
    assert list(seen.over()) == []
    clock.now += WINDOW_SECONDS
    (summary,) = seen.over()
    assert summary.getMessage() == "7 lines more like this one within 60 s: the disk is full"
    assert summary.levelno == logging.WARNING
    assert seen.admits(line("the disk %s", "is full"))


def test_what_outsiders_cause_is_bounded_however_different_it_is() -> None:
    clock = Clock()
    seen = Repetitions(clock)
    admitted = [seen.admits(line("refused %s", f"/{n}" * 5000, name=OUTSIDE)) for n in range(ONE_PLACE + 50)]
    assert admitted == [True] * ONE_PLACE + [False] * 50
    assert seen.admits(line("refused %s", "/", name=OUTSIDE, lineno=2)), "another place has its own"
    assert [seen.admits(line("failed", name=OUTSIDE, lineno=3)) for _ in range(SAME + 1)] == [True] * SAME + [False]
    clock.now += WINDOW_SECONDS
    by_place, same = seen.over()
    assert by_place.getMessage().startswith("50 lines more like this one within 60 s: refused /149/149")
    assert len(by_place.getMessage()) < 300
    assert same.getMessage() == "1 line more like this one within 60 s: failed"


def test_words_of_outsiders_are_cut_and_our_own_are_not() -> None:
    with log_into_pipe() as (log, readable):
        log.handle(line("refused %s from %s", "ä" * 15_000, "10.0.0.5", name=OUTSIDE))
        log.handle(line("%s", "y" * 1000))
        first, second = read_until(readable, "yyy")
    assert first == f"refused {'ä' * LONGEST}… from 10.0.0.5"
    assert len(second) == 1000


def test_few_kinds_of_lines_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_queue, "KINDS", 3)
    seen = Repetitions(Clock())
    assert all(seen.admits(line(f"{number % 9}")) for number in range(9 * SAME) if number % 9 > 2)
    assert len(seen._kinds) == 3
