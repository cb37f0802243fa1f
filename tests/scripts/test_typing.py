"""A type checker knows what futures bring: mypy says so of a script."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy import api

from tests.e2e.processes import ROOT

SCRIPT = """
from mac_actors import AnyFleet, Fleet, RemoteFleet
fleet = Fleet.open()
reveal_type(fleet["x"].lock(by="me").get().durable)
reveal_type(fleet["x"].lock(by="me", reason="belt").get().outcomes)
reveal_type(fleet["x"].clear())
reveal_type(fleet["x"].snapshot().get())
reveal_type(fleet["x"].snapshot().get().lock)
reveal_type([s.name for s in fleet.snapshots() if s.status == "in_use"])
remote = RemoteFleet()
reveal_type(remote["x"].oops().get().durable)
def both(either: AnyFleet) -> None:
    reveal_type(either["x"].unoops().get().already)
    either["x"].lock(by=5)
both(fleet)
both(remote)
with Fleet.open(state=None) as opened:
    reveal_type(opened)
fleet["x"].lock(bye="me")
fleet["x"].lock().get().durabel
"""

SAYS = """
note: Revealed type is "bool"
note: Revealed type is "tuple[mac_actors.core.outcomes.Outcome, ...]"
note: Revealed type is "pykka._future.Future[mac_actors.actors.replies.Answer]"
note: Revealed type is "mac_actors.core.snapshot.Snapshot"
note: Revealed type is "mac_actors.core.state.Flag | None"
note: Revealed type is "list[str]"
note: Revealed type is "bool"
note: Revealed type is "tuple[mac_actors.core.decision.Already, ...]"
error: Argument "by" to "lock" of "Machine" has incompatible type "int"; expected "str | None"  [arg-type]
note: Revealed type is "mac_actors.bootstrap.Fleet"
error: Unexpected keyword argument "bye"; did you mean "by"?  [call-arg]
error: "Answer" has no attribute "durabel"; maybe "durable"?  [attr-defined]
"""


@pytest.mark.untraced
def test_mypy_knows_the_types_and_finds_the_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    monkeypatch.chdir(ROOT)
    said, trouble, _ = api.run(["--strict", "--no-error-summary", "--hide-error-context", str(script)])
    assert trouble == ""
    lines = [line.partition(": ")[2] for line in said.splitlines()]
    assert "\n".join(lines) == SAYS.strip(), said
