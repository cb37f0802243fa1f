"""Webhooks of the installed command: tried, killed, reloaded; and no secret in what is said."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.e2e.processes import SAMPLES, ServerProcess, run
from tests.webhooks.receiver import SECRET, Receiver


def write_hooks(directory: Path, **urls: str) -> dict[str, str]:
    """Write the file; returns the environment that names it."""
    path = directory / "webhooks.json"
    path.write_text(json.dumps({name: {"url": url, "secret": SECRET} for name, url in urls.items()}))
    return {"MAC_WEBHOOKS": str(path)}


def test_every_event_gets_there_although_the_server_is_killed_and_the_receiver_refuses(
    tmp_path: Path, receiver: Receiver
) -> None:
    variables = write_hooks(tmp_path, shop="http://127.0.0.1:1/?key=in-the-url") | {"MAC_COMMIT_BUDGET": "20"}
    receiver.answer = lambda event: 503 if len(receiver.requests) % 3 == 0 else 200
    with ServerProcess(tmp_path, **variables) as server:
        for _ in range(5):
            server.call("POST", "/api/machine/oops/metal-mill")
            server.call("DELETE", "/api/machine/oops/metal-mill")
        server.wait_for("notices for the webhook shop wait: no answer")
        write_hooks(tmp_path, shop=receiver.url)
        server.process.send_signal(signal.SIGHUP)
        receiver.wait_for_requests(2)
        server.kill()
    lines = server.lines
    with ServerProcess(tmp_path, **variables) as server:
        receiver.wait_for(5, kind="oops_set")
        receiver.wait_for(5, kind="oops_cleared")
        events = server.call("GET", "/api/events")[1]["events"]
        metrics = server.fetch("/metrics")[1].decode()
        lines += server.lines
    taken = list({event["id"]: event for event in receiver.events()}.values())  # one may come twice
    assert taken == events[::-1]
    assert 'mac_notices_waiting{channel="webhook shop"}' in metrics
    assert 'mac_notices_given_up_total{channel="webhook shop"} 0.0' in metrics
    assert not [line for line in lines if SECRET in line or "in-the-url" in line]


def test_the_command_says_of_each_webhook_whether_it_takes_events(tmp_path: Path, receiver: Receiver) -> None:
    variables = SAMPLES | write_hooks(tmp_path, shop=receiver.url, dead="http://127.0.0.1:1/?key=in-the-url")
    done = run("webhooks", "test", cwd=tmp_path, **variables)
    assert done.returncode == 1
    good, bad = done.stdout.splitlines()
    assert good.startswith("ok      shop: answered 204 after ")
    assert bad == "WRONG   dead: no answer (Connection refused)"
    assert run("webhooks", "test", "shop", cwd=tmp_path, **variables).returncode == 0
    assert [event["kind"] for event in receiver.wait_for(2)] == ["test", "test"]
    unknown = run("webhooks", "test", "shed", cwd=tmp_path, **variables)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "there is no webhook 'shed', but shop, dead" in unknown.stderr
    off = run("webhooks", "test", cwd=tmp_path, **SAMPLES)
    assert off.returncode == 2
    assert "MAC_WEBHOOKS is not set" in off.stderr
