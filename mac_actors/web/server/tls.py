"""TLS: the server's certificate, sockets that speak it, and their handshakes."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from pathlib import Path

from mac_actors.errors import ConfigError
from mac_actors.web.server.connection import READ, WRITE, Connection
from mac_actors.web.server.gateway import error_answer


class Tls:
    """Turns accepted sockets into TLS ones."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            self._context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                [f"MAC_TLS_CERT {certificate} and MAC_TLS_KEY {key} are not a PEM certificate and its key: {error}"]
            ) from error

    def bind(self, sock: socket.socket) -> socket.socket:
        """Return the listening socket as it is."""
        return sock

    def wrap(self, sock: socket.socket) -> ssl.SSLSocket:
        """Return the TLS socket of an accepted one, before its handshake."""
        return self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)


def shake_hands(conn: Connection) -> None:
    """Take one step of a handshake, as far as the client's bytes allow; each costs a signature at the most.

    Who says nothing costs nothing: TLS begins with the client's first bytes.
    """
    try:
        if not isinstance(conn.socket, ssl.SSLSocket):
            conn.socket = conn.server.ssl_adapter.wrap(conn.socket)
        conn.socket.do_handshake()
        conn.shaking_hands = False
    except ssl.SSLWantReadError:
        conn.wants = READ
    except ssl.SSLWantWriteError:
        conn.wants = WRITE
    except OSError as error:
        if getattr(error, "reason", None) == "HTTP_REQUEST":
            answer = error_answer(400, "this port speaks HTTPS: use https:// in the address")
            with suppress(OSError):
                socket.socket.send(conn.socket, answer)
        conn.close()
