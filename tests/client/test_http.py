"""The client of a running server, against servers that are not what they should be."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mac_actors.client.http import Client
from mac_actors.errors import ConfigError, NoServer, ServerError

WELL = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"status": "ok"}'


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives one answer to one request; yields its address, and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_once() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(answer)

        thread = threading.Thread(target=answer_once)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        thread.join()


def test_the_path_of_the_address_goes_before_that_of_the_call() -> None:
    with answering(WELL) as (url, asked):
        assert Client(f"{url}/shop söuth/").healthy()
    assert asked[0].startswith(b"GET /shop%20s%C3%B6uth/healthz HTTP/1.1\r\n")


def test_the_token_is_sent_and_the_connection_ends_with_the_answer() -> None:
    with answering(WELL) as (url, asked):
        assert Client(url, "secret").healthy()
    assert b"\r\nAuthorization: Bearer secret\r\n" in asked[0]
    assert b"\r\nConnection: close\r\n" in asked[0]


@pytest.mark.parametrize(
    "answer", [b"", b"\x15\x03\x01\x00\x02\x02\x46", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"]
)
def test_what_is_no_whole_answer_is_no_server_and_can_be_printed(answer: bytes) -> None:
    with answering(answer) as (url, _), pytest.raises(NoServer, match="is the server running there") as error:
        Client(url).healthy()
    assert str(error.value).isprintable()


@pytest.mark.parametrize("content", [b"<p>", b"[1]", b"\xff\xfe"])
def test_what_is_no_answer_of_ours_is_said(content: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)
    with answering(answer) as (url, _), pytest.raises(ServerError, match="is not a mac-actors server"):
        Client(url).healthy()


def test_an_answer_that_comes_before_the_request_is_read_is_heard() -> None:
    refusal = b'{"error": "this port speaks HTTPS: use https:// in the address"}'
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(refusal), refusal)
    with answering(answer) as (url, _), pytest.raises(ServerError, match="this port speaks HTTPS"):
        Client(url).command("oops", "welder", "x" * 10_000_000, None)


def test_https_where_it_is_not_spoken_is_said() -> None:
    with answering(WELL) as (url, _), pytest.raises(NoServer, match=r"does it speak HTTPS there\? .* write http://"):
        Client(url.replace("http:", "https:")).healthy()


def test_a_name_that_no_network_has_is_no_server() -> None:
    with pytest.raises(NoServer, match=r"no answer from http://a\.\.b:5000"):
        Client("http://a..b:5000").healthy()


def test_a_wrong_address_is_said_by_the_name_that_it_was_given_by(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"^--url is 'workshop': allowed is an address like"):
        Client.at("workshop", "--url")
    monkeypatch.setenv("MAC_URL", "ftp://x")
    with pytest.raises(ConfigError, match=r"^MAC_URL is 'ftp://x': allowed is an address like"):
        Client.at(None, "--url")
    monkeypatch.setenv("MAC_URL", "")
    monkeypatch.setenv("MAC_PORT", "0")
    with pytest.raises(ConfigError, match=r"^MAC_PORT is '0': allowed is a whole number from 1 to 65535"):
        Client.at(None, "--url")


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_an_ipv6_address_needs_no_port(scheme: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, int]] = []

    def refuse(address: tuple[str, int], *_: object) -> socket.socket:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(NoServer):
        Client(f"{scheme}://[fe80::1]").healthy()
    assert called == [("fe80::1", port)]


def test_a_token_is_what_a_header_can_hold() -> None:
    with answering(WELL) as (url, asked):
        assert Client.at(url, "url", "secret\n").healthy()
    assert b"\r\nAuthorization: Bearer secret\r\n" in asked[0]
    with pytest.raises(ConfigError, match=r"^MAC_ADMIN_TOKEN has a space or a character that is not plain ASCII"):
        Client.at(url, "url", "two\nlines")
