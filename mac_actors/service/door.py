"""The way in: to the shop of this server, if it owns the machines; else to whoever does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from mac_actors.actors.machine import MOVING
from mac_actors.cluster.node import Standing
from mac_actors.service.shop import Shop

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Door:
    """A WSGI application that chooses for each request. ``elsewhere`` answers what this server's shop does not."""

    def __init__(
        self, shop: Callable[[], Shop | None], standing: Callable[[], Standing], notes: Callable[[], dict[str, str]]
    ) -> None:
        self._shop = shop
        self._standing = standing
        self._notes = notes
        self.elsewhere: Application = unavailable

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        shop, standing = self._shop(), self._standing()
        if shop is not None and (standing.owns or standing.owner is None):
            answer: Iterable[bytes] = shop.app.wsgi(environ, start_response)
            return answer
        match environ["PATH_INFO"], environ.get("QUERY_STRING"):
            case "/healthz", "":
                return _json(start_response, "200 OK", {"status": "ok"})
            case "/readyz", _:
                problems = {} if standing.owner else {"owner": "no server owns the machines"}
                body = {"ready": not problems, "problems": problems, "notes": self._notes()}
                return _json(start_response, "503 Service Unavailable" if problems else "200 OK", body)
        return self.elsewhere(environ, start_response)


def unavailable(_environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """Answer that another server owns the machines."""
    return _json(start_response, "503 Service Unavailable", {"error": MOVING})


def _json(start_response: StartResponse, status: str, body: object) -> list[bytes]:
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(body, ensure_ascii=False).encode()]
