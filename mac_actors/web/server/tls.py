"""TLS: the server's certificate, and sockets that speak it."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from mac_actors.errors import ConfigError


class Tls:
    """Turns accepted sockets into TLS ones; the handshake is done as the client's bytes come."""

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
        """Return the TLS socket of an accepted one."""
        return self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
