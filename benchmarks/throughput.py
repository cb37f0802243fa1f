"""Heartbeats and durable transitions a second, against a constant: Bottle on cheroot that returns a fixed answer.

    python -m benchmarks.throughput [--rounds 3] [--seconds 4] [--machines 500]

Needs wrk (Debian's package) and two cores: the servers run on one, wrk on the other, 16 connections, a new one for
each report as readers do. The servers take turns; quote the medians of the ratios. Where others are at work on the
computer, the time of the processor that an answer took tells more than answers a second.

"signed" are heartbeats of readers with keys: wrk signs each report, with the nonce of the last reply of its machine, by
the OpenSSL that it is linked with. That each counts is checked, that replies are signed is not. Each of its connections
has a thread, and machines, of its own: "heartbeats, 16 threads" are the same without keys.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
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


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=4)
    options.add_argument("--machines", type=int, default=500)
    given = options.parse_args()
    rows: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    memory = []
    with tempfile.TemporaryDirectory() as directory:
        shop = Path(directory)
        machines = {f"m{n}": {"authorizations_or": ["M"]} for n in range(given.machines)}
        (shop / "machines.json").write_text(json.dumps(machines))
        user = {"account_id": "1", "full_name": "U", "first_name": "U", "last_name": "U", "preferred_name": "U"}
        user |= {"email": "", "fob_codes": ["1"], "expiration_ymd": "2099-01-01", "authorizations": ["M"]}
        (shop / "users.json").write_text(json.dumps([user]))
        (shop / "constant.py").write_text(CONSTANT)
        (shop / "heartbeats.lua").write_text(LUA % (1, given.machines, '""', REPORT))
        (shop / "transitions.lua").write_text(LUA % (2, given.machines, '(n % 2 == 0) and "1" or ""', REPORT))
        signed, keys = shop / "signed.lua", shop / "keys.lua"
        signed.write_text(SIGNED_LUA.replace("KEYS", str(keys)).replace("MACHINES", str(given.machines // 16 * 16)))
        for number in range(given.rounds):
            a, b = _free_port(), _free_port()
            constant = _start([sys.executable, str(shop / "constant.py"), str(a)], a)
            files = {name.upper() + "_CONFIG": str(shop / f"{name}.json") for name in ("machines", "users")}
            state = str(shop / f"state{number}")
            serve = [sys.executable, "-m", "mac_actors", "serve", "--port", str(b), "--log-level", "error"]
            ours = _start(serve, b, MACHINE_STATE_DIR=state, **files)
            keys.write_text("return {}")
            for name, port, script, threads in (
                ("constant", a, "heartbeats", 1),
                ("heartbeats", b, "heartbeats", 1),
                ("transitions", b, "transitions", 1),
                ("heartbeats, 16 threads", b, "signed", 16),
                ("signed", b, "signed", 16),
            ):
                if name == "signed":
                    _add_keys(b, given.machines, keys)
                rows[name].append(
                    _load((constant if port == a else ours).pid, port, shop / f"{script}.lua", given.seconds, threads)
                )
            memory.append(_memory(ours.pid))
            for process in (constant, ours):
                process.send_signal(signal.SIGTERM)
                process.wait(20)
    for name, results in rows.items():
        ratio = statistics.median(r / c for (r, *_), (c, *_) in zip(results, rows["constant"], strict=True))
        rate, slowest, used = (statistics.median(column) for column in zip(*results, strict=True))
        print(f"{name:22} {rate:8.0f}/s   {ratio:5.2f} of constant   p99 {slowest:6.1f} ms   {used:5.0f} µs")
    print(f"memory after load, {given.machines} machines: {statistics.median(memory):.0f} MB")


if __name__ == "__main__":
    main()
