"""Other sites' pages may read what is public: those of MAC_EMBED_ORIGINS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import bottle


class Cors:
    """A Bottle plugin for the calls of the API that read and need no token.

    Nothing of who looks comes along to them: browsers send our cookie to our own pages alone, and a token would need a
    permission that is never given. So what other sites read is what everybody may see.
    """

    name = "cors"
    api = 2

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origins)

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        """Wrap a route, if it is one of those."""
        operation = route.config.get("api")
        if not self._origins or route.method != "GET" or operation is None or operation.security:
            return callback

        def allowed(*args: Any, **kwargs: Any) -> Any:
            origin = bottle.request.environ.get("HTTP_ORIGIN", "")
            bottle.response.add_header("Vary", "Origin")
            if origin in self._origins:
                bottle.response.set_header("Access-Control-Allow-Origin", origin)
            return callback(*args, **kwargs)

        return allowed
