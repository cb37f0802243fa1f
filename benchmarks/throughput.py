"""Load by wrk, and the constant that answers a second are compared with: Bottle on cheroot that returns a fixed answer.

16 connections, a new one for each report as readers do. Where others are at work on the computer, the time of the
processor that an answer took tells more than answers a second.

"signed" are heartbeats of readers with keys: wrk signs each report, with the nonce of the last reply of its machine, by
the OpenSSL that it is linked with. That each counts is checked, that replies are signed is not. Each of its connections
has a thread, and machines, of its own.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

CONSTANT = """
import bottle, sys
from cheroot.wsgi import Server
app = bottle.Bottle()
@app.post("/api/machine/update")
def update():
    return {"relay": False, "display": "Please Insert\\nRFID Card", "oops_led": False,
            "status_led_rgb": [0.0, 0.0, 0.0], "status_led_brightness": 0.0, "second_relay": False}
Server(("127.0.0.1", int(sys.argv[1])), app, numthreads=10, request_queue_size=1024).start()
"""

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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _start(command: list[str], port: int, **variables: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(["taskset", "-c", "0", *command], env={**os.environ, **variables})
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            time.sleep(0.05)


def _load(pid: int, port: int, script: Path, seconds: int, threads: int = 1) -> tuple[float, float, float]:
    """Return answers a second, the 99th percentile in ms, and the server's processor time for an answer in µs."""
    before = _processor_seconds(pid)
    command = ["taskset", "-c", "1", "wrk", f"-t{threads}", "-c16", f"-d{seconds}", "--latency", "-s", str(script)]
    done = subprocess.run([*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True)
    if "Non-2xx" in done.stdout:
        raise SystemExit(done.stdout)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    slowest = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout)
    total = re.search(r"(\d+) requests in", done.stdout)
    assert rate and slowest and total
    used = (_processor_seconds(pid) - before) / int(total[1]) * 1e6
    return float(rate[1]), float(slowest[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[slowest[2]], used


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _add_keys(port: int, machines: int, script: Path) -> None:
    """Give each machine's reader a key, and write them where wrk finds them."""
    keys = []
    for number in range(machines):
        with closing(HTTPConnection("127.0.0.1", port)) as connection:
            connection.request("POST", f"/api/reader/m{number}/key")
            key = bytes.fromhex(json.loads(connection.getresponse().read())["key"])
        text = "".join(rf"\{byte:03}" for byte in key)
        keys.append(f'[{number}] = "{text}",')
    script.write_text("return {" + "\n".join(keys) + "}")


def _memory(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024
