"""Long answers: in one thread, in order, at Slack's pace."""

from __future__ import annotations

import threading

import pytest

from mac_actors.slack.gateway import make_client
from mac_actors.slack.replies import Replies

from .shop import slack_settings
from .standin.workspace import CONTROL, Workspace

LONG = ["what is wrong", "idle 1", "idle 2"]


class Paced(threading.Event):
    """Notes what would have been waited for; ``stops`` after so many waits."""

    def __init__(self, stops: int = 100) -> None:
        super().__init__()
        self.waits: list[float | None] = []
        self.stops = stops

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return len(self.waits) >= self.stops


def replies(workspace: Workspace, stopping: Paced) -> Replies:
    return Replies(make_client(slack_settings(workspace)), CONTROL, stopping)


def told(workspace: Workspace) -> list[tuple[str, str | None]]:
    return [(post.text, post.thread_ts) for post in workspace.posts(CONTROL)]


@pytest.fixture(autouse=True)
def _no_proxy(quick: pytest.MonkeyPatch) -> None:
    quick.setattr("mac_actors.slack.gateway.SlackChat.seconds_per_post", 1.0)


def test_what_does_not_fit_follows_in_the_thread_of_the_first_post_paced(workspace: Workspace) -> None:
    paced = Paced()
    replies(workspace, paced).post(LONG, CONTROL, None)
    head = workspace.posts(CONTROL)[0].ts
    assert told(workspace) == [("what is wrong", None), ("idle 1", head), ("idle 2", head)]
    assert paced.waits == [1.0, 1.0]


def test_an_answer_in_a_thread_stays_there(workspace: Workspace) -> None:
    asked = workspace.mention("status", queued=False).ts
    replies(workspace, Paced()).post(LONG, CONTROL, asked)
    assert told(workspace) == [(text, asked) for text in LONG]


def test_a_rate_limit_is_obeyed_and_loses_no_post(workspace: Workspace) -> None:
    paced = Paced()
    workspace.rate_limit("chat.postMessage", retry_after=30)
    replies(workspace, paced).post(LONG, CONTROL, None)
    assert [text for text, _ in told(workspace)] == LONG
    assert paced.waits == [30.0, 1.0, 1.0]


@pytest.mark.parametrize("refused", ["internal_error", "not_in_channel"])
def test_nothing_comes_without_its_head(workspace: Workspace, refused: str) -> None:
    workspace.fail("chat.postMessage", refused, times=1)
    replies(workspace, Paced()).post(LONG, CONTROL, None)
    assert told(workspace) == []


def test_a_stop_does_not_wait_for_the_rest(workspace: Workspace) -> None:
    replies(workspace, Paced(stops=1)).post(LONG, CONTROL, None)
    assert [text for text, _ in told(workspace)] == LONG[:1]


def test_a_stop_does_not_wait_for_a_rate_limit(workspace: Workspace) -> None:
    workspace.rate_limit("chat.postMessage", retry_after=30)
    replies(workspace, Paced(stops=1)).post(LONG, CONTROL, None)
    assert told(workspace) == []
