"""One POST to a receiver: signed, never redirected, over after a while whatever is answered; no secret in an error."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mac_actors.core.config import WebhookConfig
from mac_actors.errors import ChatError, EventRefused
from mac_actors.webhooks import sender
from tests.webhooks.receiver import SECRET, Receiver


def hook(url: str) -> WebhookConfig:
    return WebhookConfig("shop", url, frozenset(), SECRET)


def test_an_event_is_signed_and_its_receiver_can_verify_it(receiver: Receiver) -> None:
    assert sender.send(hook(receiver.url), "event_1", '{"text": "Größe"}'.encode()) == 204
    (taken,) = receiver.requests
    assert taken.path == "/hook?key=in-the-url"
    assert taken.event == {"text": "Größe"}
    assert taken.headers["webhook-id"] == "event_1"
    assert taken.headers["content-type"] == "application/json"
    assert taken.headers["user-agent"].startswith("mac-actors/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda event: status
    receiver.headers = {"Location": receiver.url + "&inner"}
    with pytest.raises(ChatError, match="a redirect, which is not followed") as error:
        sender.send(hook(receiver.url), "event_1", b"{}")
    assert not isinstance(error.value, EventRefused)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("status", [400, 413, 422, 500])
def test_a_status_about_the_event_refuses_this_event(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda event: status
    with pytest.raises(EventRefused, match=f"answered {status}"):
        sender.send(hook(receiver.url), "event_1", b"{}")


@pytest.mark.parametrize(
    ("wanted", "waits"), [("7", 7.0), ("0", 1.0), ("99999", 300.0), ("tomorrow", None), ("nan", None), (None, None)]
)
def test_any_other_status_is_the_receivers_and_it_may_ask_to_wait(
    receiver: Receiver, wanted: str | None, waits: float | None
) -> None:
    receiver.answer = lambda event: 503
    receiver.headers = {} if wanted is None else {"Retry-After": wanted}
    with pytest.raises(ChatError, match="answered 503") as error:
        sender.send(hook(receiver.url), "event_1", b"{}")
    assert not isinstance(error.value, EventRefused)
    assert error.value.retry_after == waits


def test_the_body_of_an_answer_is_not_read_however_long(receiver: Receiver) -> None:
    receiver.headers = {"Content-Length": str(10**12)}
    assert sender.send(hook(receiver.url), "event_1", b"{}") == 204


@contextmanager
def talking(talk: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """Whoever connects is talked to like this; the event is set in the end."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                talk(connection, over)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/secret-path"
        over.set()
        thread.join(10)


def drip(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 2")
    try:
        while not over.wait(0.02):
            connection.sendall(b"x")
    except OSError:
        pass


def no_http(connection: socket.socket, _: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(b"220 mail.example.org ESMTP\r\n")


def say_nothing(_: socket.socket, over: threading.Event) -> None:
    over.wait(10)


def hang_up(connection: socket.socket, _: threading.Event) -> None:
    connection.recv(1)


@pytest.mark.parametrize("talk", [drip, no_http, say_nothing, hang_up])
def test_whatever_a_receiver_says_instead_of_http_is_an_error_soon_and_has_no_url_in_it(
    talk: Callable[[socket.socket, threading.Event], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(sender, "DEADLINE_SECONDS", 0.4)
    with talking(talk) as url, pytest.raises(ChatError, match="no answer") as error:
        sender.send(hook(url), "event_1", b"{}")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://no-such-host.invalid/", "https://127.0.0.1:1/"])
def test_a_receiver_that_is_not_there_is_an_error(url: str) -> None:
    with pytest.raises(ChatError, match="no answer"):
        sender.send(hook(url), "event_1", b"{}")
