"""A stand-in for the Neon CRM's API v2: accounts, custom fields, a search with pages; and it can misbehave."""

from __future__ import annotations

import base64
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ORGANIZATION, KEY = "makerspace", "neon-secret-key-0123456789"

OLDEST_VERSION = [2, 9]
"""Of the API; older ones are gone since 2025-11-30."""

CUSTOM_FIELDS: list[dict[str, Any]] = [
    {"id": "85", "name": "Fob10Digit", "displayType": "OneLineText", "optionValues": []},
    {"id": "86", "name": "Second Fob", "displayType": "OneLineText"},
    {
        "id": "90",
        "name": "Woodshop 101",
        "displayType": "Checkbox",
        "optionValues": [{"id": "1", "name": "Training Complete"}],
    },
    {
        "id": "91",
        "name": "Laser",
        "displayType": "Checkbox",
        "optionValues": [{"id": "2", "name": "Training Complete"}],
    },
    {
        "id": "92",
        "name": "Tools",
        "displayType": "Checkbox",
        "optionValues": [{"id": "3", "name": "Mill"}, {"id": "4", "name": "Welder"}],
    },
    {
        "id": "94",
        "name": "OOPS_OVERRIDE",
        "displayType": "Checkbox",
        "optionValues": [{"id": "6", "name": "Training Complete"}],
    },
    {"id": "93", "name": "May override", "displayType": "Radio", "optionValues": [{"id": "5", "name": "Yes"}]},
]

STANDARD = {
    *("Account ID", "First Name", "Last Name", "Full Name (F)", "Preferred Name", "Email 1"),
    *("Membership Expiration Date", "Account Type"),
}


def account(number: int, **fields: Any) -> dict[str, Any]:
    """An account; the custom fields are there by name, as the answers have them."""
    custom = dict.fromkeys(custom["name"] for custom in CUSTOM_FIELDS)
    return {
        "Account ID": str(number),
        "First Name": f"First{number}",
        "Last Name": f"Last{number}",
        "Full Name (F)": f"First{number} Last{number}",
        "Preferred Name": None,
        "Email 1": f"m{number}@example.org",
        "Membership Expiration Date": "2099-12-31",
        "Account Type": "Individual",
        **custom,
        "Fob10Digit": f"{number:010}",
        **fields,
    }


Misbehaviour = Callable[["_Handler"], None]


class NeonServer:
    """Answers as Neon does; ``misbehaviours`` are used up one by one, by the next requests."""

    def __init__(self, accounts: list[dict[str, Any]]) -> None:
        self.accounts = accounts
        self.misbehaviours: deque[Misbehaviour] = deque()
        self.requests: list[tuple[str, Any]] = []
        self.totals: int | None = None
        self.between_pages: Callable[[], None] = lambda: None
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(_Handler):
            neon = outer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v2"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def search(self, asked: dict[str, Any]) -> tuple[int, Any]:
        """Answer a search as Neon does, or refuse it."""
        ids = {int(custom["id"]): custom["name"] for custom in CUSTOM_FIELDS}
        unknown = [name for name in asked["outputFields"] if name not in STANDARD and name not in ids]
        if unknown or not asked["searchFields"]:
            return 400, [{"code": "10009", "message": f"Output field '{unknown}' is not supported"}]
        found = [account for account in self.accounts if all(_fits(account, c) for c in asked["searchFields"])]
        page, size = asked["pagination"]["currentPage"], asked["pagination"]["pageSize"]
        if size > 200:
            return 400, [{"code": "10001", "message": "pageSize is at most 200"}]
        names = [ids.get(name, name) for name in asked["outputFields"]]
        total = len(found) if self.totals is None else self.totals
        answer = {
            "pagination": {
                "currentPage": page,
                "pageSize": size,
                "sortColumn": None,
                "sortDirection": None,
                "totalPages": -(-total // size),
                "totalResults": total,
            },
            "searchResults": [{name: a.get(name) for name in names} for a in found[page * size : (page + 1) * size]],
        }
        self.between_pages()
        return 200, answer


def _fits(account: dict[str, Any], condition: dict[str, str]) -> bool:
    value = account[condition["field"]]
    if condition["operator"] == "GREATER_AND_EQUAL":
        return bool(value is not None and value >= condition["value"])
    assert condition["operator"] == "EQUAL"
    return bool(value == condition["value"])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    neon: NeonServer

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _serve(self, body: Any) -> None:
        neon = self.neon
        with neon.lock:
            neon.at_once += 1
            neon.most_at_once = max(neon.most_at_once, neon.at_once)
            neon.requests.append((self.path, body))
        try:
            if neon.misbehaviours:
                neon.misbehaviours.popleft()(self)
            else:
                self.answer(*self._right_answer(body))
        finally:
            with neon.lock:
                neon.at_once -= 1

    def _right_answer(self, body: Any) -> tuple[int, Any]:
        expected = base64.b64encode(f"{ORGANIZATION}:{KEY}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            return 401, [{"code": "401", "message": "Unauthorized"}]
        version = [int(part) for part in self.headers["NEON-API-VERSION"].split(".")]
        if version < OLDEST_VERSION:
            return 410, [{"code": "410", "message": "This version of the API is no longer available"}]
        if self.path == "/v2/customFields?category=Account":
            return 200, CUSTOM_FIELDS
        if self.path == "/v2/accounts/search" and body:
            return self.neon.search(body)
        return 404, [{"code": "404", "message": "no such resource"}]

    def answer(self, status: int, body: Any, **headers: str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(text.encode())))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


def busy(retry_after: str | None = None, status: int = 429) -> Misbehaviour:
    """Too many requests, or another status; with a word on when to come again, or without."""
    headers = {"Retry_After": retry_after} if retry_after else {}
    return lambda handler: handler.answer(status, [{"code": str(status), "message": "busy"}], **headers)


def says(status: int, body: Any) -> Misbehaviour:
    """Anything else, as JSON or (a string) as HTML."""
    return lambda handler: handler.answer(status, body)


def cut(handler: _Handler) -> None:
    """Half of an answer, and the connection is gone."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"searchResults": [')
    handler.close_connection = True


def hang_up(handler: _Handler) -> None:
    """No answer at all."""
    handler.close_connection = True


@contextmanager
def neon_server(accounts: list[dict[str, Any]]) -> Iterator[NeonServer]:
    server = NeonServer(accounts)
    try:
        yield server
    finally:
        server.close()
