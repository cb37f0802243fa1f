"""What is sent to the servers: by wrk as fast as they answer, or by :func:`send` at a pace, or all at once.

A report is a connection of its own, as with readers. wrk has 16 under way. "signed" are heartbeats of readers with
keys: wrk signs each report, with the nonce of the last reply of its machine, by the OpenSSL that it is linked with.
That each counts is checked, that replies are signed is not. Each of its connections has a thread, and machines, of its
own.
"""

from __future__ import annotations

import re
import select
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import Server
from tests.faults.client import report, request_bytes

REPORT = (
    '{"machine_name":"m\' .. m .. \'","oops":false,"rfid_value":"\' .. card .. \'","uptime":\' .. n .. \'.5,'
    '"wifi_signal_db":-60,"wifi_signal_percent":70,"internal_temperature_c":50.5}'
)
LUA = """
local n = 0
request = function()
  n = n + 1
  local m = math.floor(n / %d) %% %d
  local card = %s
  return wrk.format("POST", "/api/machine/update", {["Content-Type"]="application/json", ["Connection"]="close"}, '%s')
end
"""


SIGNED_LUA = """
local ffi = require("ffi")
ffi.cdef("const void *EVP_sha256(void); unsigned char *HMAC(const void *md, const void *key, int key_length, "
  .. "const char *data, size_t length, unsigned char *digest, unsigned int *digest_length);")
local ssl, digest, length = ffi.load("libcrypto.so.3"), ffi.new("unsigned char[32]"), ffi.new("unsigned int[1]")
local threads, keys, nonces, n, m = 0, dofile("KEYS"), {}, 0, 0
function setup(thread)
  thread:set("first", threads)
  threads = threads + 1
end
function request()
  n = n + 1
  m = first + 16 * (n % (MACHINES / 16))
  local body = '{"machine_name":"m' .. m .. '","oops":false,"rfid_value":"","uptime":' .. n .. '.5,"firmware":"wrk",'
    .. '"boot":1,"count":' .. n .. ',"nonce":"' .. (nonces[m] or "") .. '","wifi_signal_db":-60}'
  local head = {["Content-Type"] = "application/json", ["Connection"] = "close"}
  local key = keys[m]
  if key then
    ssl.HMAC(ssl.EVP_sha256(), key, 32, body, #body, digest, length)
    local hex = {}
    for i = 0, 31 do hex[i + 1] = string.format("%02x", digest[i]) end
    head["X-MAC-Signature"] = table.concat(hex)
  end
  return wrk.format("POST", "/api/machine/update", head, body)
end
function response(status, headers, body)
  if keys[m] then
    local stale = nonces[m] and string.find(body, '"applied"')
    nonces[m] = string.match(body, '"nonce":"(%x+)"')
    if stale or not nonces[m] then error("a report did not count: " .. body) end
  end
end
"""

TIMEOUT = 30.0

BEGUN = 1000.0
"""Seconds that readers have been up when they are first heard of."""


@dataclass(frozen=True)
class Rate:
    """What wrk has found."""

    a_second: float
    p99: float
    """Milliseconds."""
    processor: float
    """Microseconds of the server's processor time for an answer."""


def script(kind: str, machines: int, directory: Path) -> Path:
    """Write what wrk does: ``heartbeats``, ``transitions`` or ``signed``."""
    if kind == "signed":
        text = SIGNED_LUA.replace("KEYS", str(directory / "keys.lua"))
        text = text.replace("MACHINES", str(max(16, machines // 16 * 16)))
    elif kind == "heartbeats":
        text = LUA % (1, machines, '""', REPORT)
    else:
        text = LUA % (2, machines, '(n % 2 == 0) and "1" or ""', REPORT)
    path = directory / f"{kind}.lua"
    path.write_text(text)
    return path


def wrk(server: Server, lua: Path, seconds: int) -> Rate:
    """Send as fast as the server answers."""
    threads = 16 if lua.stem == "signed" else 1
    before = server.processor_seconds()
    command = ["wrk", f"-t{threads}", "-c16", f"-d{seconds}", "--timeout", "10"]
    url = f"http://127.0.0.1:{server.port}"
    done = subprocess.run([*command, "--latency", "-s", str(lua), url], capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout:
        raise RuntimeError(done.stdout)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    slowest = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout)
    total = re.search(r"(\d+) requests in", done.stdout)
    if not (rate and slowest and total and int(total[1])):
        raise RuntimeError(f"wrk has found nothing: {done.stdout}{done.stderr}")
    used = (server.processor_seconds() - before) / int(total[1]) * 1e6
    return Rate(float(rate[1]), float(slowest[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[slowest[2]], used)


def add_keys(server: Server, machines: int, directory: Path) -> None:
    """Give each machine's reader a key, and write them where wrk finds them."""
    keys = []
    for number in range(machines):
        key = bytes.fromhex(server.call("POST", f"/api/reader/m{number}/key").body["key"])
        text = "".join(rf"\{byte:03}" for byte in key)
        keys.append(f'[{number}] = "{text}",')
    (directory / "keys.lua").write_text("return {" + "\n".join(keys) + "}")


@dataclass
class Sent:
    """What became of all that was sent."""

    seconds: list[float]
    """How long each has taken from the moment at which it was due, the shortest first."""
    relays: int
    """How many answers had the relay on."""
    processor: float
    """The share of its core that sending has taken: near 1, the sender was what was measured."""

    def ms(self, share: float) -> float:
        return self.seconds[min(len(self.seconds) - 1, int(len(self.seconds) * share))] * 1000

    def text(self) -> str:
        return f"p50 {self.ms(0.5):.1f}, p99 {self.ms(0.99):.1f} ms"


def update(machine: int, card: str, uptime: float | None) -> bytes:
    """One report, as bytes."""
    return request_bytes("POST", "/api/machine/update", report(f"m{machine}", card, uptime))


def shop_reports(machines: int, seconds: float, rate: float) -> list[bytes]:
    """Reports of readers in turn, ``rate`` a second; one of ten changes something, with a card in or out."""
    heard, changing = [], min(10, machines // 2)
    for n in range(int(seconds * rate)):
        if n % 10:
            heard.append(update(changing + n % (machines - changing), "", BEGUN + n / rate))
        else:
            card = "" if n // 10 // changing % 2 else "1"
            heard.append(update(n // 10 % changing, card, BEGUN + n / rate))
    return heard


def send(server: Server, requests: Sequence[bytes], rate: float | None = None) -> Sent:
    """Send each request on a connection of its own, at ``rate`` a second or all at once; check the answers.

    They come from many addresses, as those of readers do: the server is fair to addresses.
    Raises RuntimeError for one that is refused, cut or no report's.
    """
    address, poll = ("127.0.0.1", server.port), select.epoll()
    waiting: dict[int, tuple[socket.socket, float, bytearray]] = {}
    seconds, relays, sent = list[float](), 0, 0
    begun, computed = time.perf_counter(), time.process_time()
    while sent < len(requests) or waiting:
        while sent < len(requests) and (rate is None or time.perf_counter() >= begun + sent / rate):
            sock = socket.socket()
            sock.bind((f"127.1.{sent % 2500 // 250}.{sent % 250 + 1}", 0))
            sock.connect(address)
            sock.send(requests[sent])
            waiting[sock.fileno()] = sock, begun if rate is None else begun + sent / rate, bytearray()
            poll.register(sock, select.EPOLLIN)
            sent += 1
        until = TIMEOUT if sent == len(requests) or rate is None else begun + sent / rate - time.perf_counter()
        ready = poll.poll(max(0.0, until))
        if not ready and until == TIMEOUT:
            raise RuntimeError(f"{len(waiting)} of {len(requests)} reports were not answered within {TIMEOUT:.0f} s")
        for number, _ in ready:
            sock, due, answer = waiting[number]
            if data := _receive(sock):
                answer += data
                continue
            seconds.append(time.perf_counter() - due)
            relays += _relay(bytes(answer))
            sock.close()
            del waiting[number]
    poll.close()
    taken = time.perf_counter() - begun
    return Sent(sorted(seconds), relays, (time.process_time() - computed) / taken)


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except ConnectionResetError:
        raise RuntimeError("a report was not answered: its connection was reset") from None


def _relay(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 200") and b'"relay":' in body:
        return b'"relay":true' in body.replace(b" ", b"")
    raise RuntimeError(f"a report was answered with {answer!r}")


def in_parts(server: Server, reports: Sequence[bytes]) -> int:
    """Send these, some at a time; returns how many machines run then."""
    return sum(send(server, reports[first : first + 100]).relays for first in range(0, len(reports), 100))


def warm(server: Server, machines: int) -> None:
    """Have each reader report once, so that it is known."""
    in_parts(server, [update(n, "", BEGUN) for n in range(machines)])


def power_is_back(server: Server, machines: int) -> Sent:
    """Have all readers report at once, as when power is back: half with a card in, whose sessions ended with it."""
    cards = ["1" if n % 2 else "" for n in range(machines)]
    in_parts(server, [update(n, "", 5000.0) for n in range(machines)])
    running = in_parts(server, [update(n, card, 5001.0) for n, card in enumerate(cards)])
    sent = send(server, [update(n, card, 20.0) for n, card in enumerate(cards)])
    if sent.relays or running != machines // 2:
        raise RuntimeError(f"of {running} machines that ran before, {sent.relays} have started by themselves")
    return sent
