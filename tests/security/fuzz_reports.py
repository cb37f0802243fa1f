"""Fuzz what a reader may send: ``python -m tests.security.fuzz_reports --minutes 5`` (needs atheris)."""

from __future__ import annotations

import sys

from tests.security import fuzzing

HEAD = b"POST /api/machine/update HTTP/1.1\r\nHost: mac\r\n"
BODY = b'{"machine_name":"laser","oops":false,"rfid_value":"12","uptime":1.5,"amps":null,"second_relay_state":true}'
FULL = (
    b'{"machine_name":"a","oops":true,"rfid_value":null,"uptime":null,"wifi_signal_db":-54,"wifi_signal_percent":92,'
    b'"internal_temperature_c":53.9,"new":[1,{"x":"\\u00e9"}]}'
)

SEEDS = (
    BODY,
    FULL,
    b'{"reason":"new belt","by":"Ann","source":"cli"}',
    HEAD + b"Content-Length: 2\r\n\r\n{}",
    HEAD + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(BODY) + BODY,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n1;x=y\r\n{\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n",
    HEAD + b"Content-Length: 2\r\n\r\n{}GET /api/machines/x%20y?limit=1 HTTP/1.1\r\nHost: mac\r\n\r\n",
    b"HEAD /api/events HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: mac\r\n\r\n",
    b"2\r\n{}\r\nA;q\r\n0123456789\r\n0\r\n\r\n",
)
WORDS = (
    *("machine_name", "oops", "rfid_value", "uptime", "amps", "second_relay_state", "reason", "by", "source", "null"),
    *("NaN", "1e999", "\\ud800", "\\u0000", "\r\n", "\r\n\r\n", "Content-Length: ", "Transfer-Encoding: chunked"),
    *("Host: mac", "Expect: 100-continue", "Connection: close", "HTTP/1.1\r\n", "HTTP/1.0\r\n", "POST /", "GET /"),
    *("0\r\n\r\n", "\r\n ", "%2F", "%ff", "Content_Length", "http://mac/"),
)

if __name__ == "__main__":
    sys.exit(fuzzing.main("reports", SEEDS, WORDS))
