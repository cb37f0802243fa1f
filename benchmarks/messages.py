"""What a message to an actor and its answer cost: pykka's own inbox and future against ours.

python -m benchmarks.messages
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import pykka

from mac_actors.actors.runtime import MacActor

ASKS, ROUNDS = 5000, 7


class Plain(pykka.ThreadingActor):
    use_daemon_thread = True

    def on_receive(self, message: Any) -> Any:
        return message


class Ours(MacActor):
    def on_receive(self, message: Any) -> Any:
        return message


def _microseconds(ref: pykka.ActorRef[Any]) -> float:
    begun = time.perf_counter()
    for number in range(ASKS):
        ref.ask(number, block=False).get(timeout=5)
    return (time.perf_counter() - begun) / ASKS * 1e6


def main() -> None:
    plain, ours = Plain.start(), Ours.start()
    _microseconds(plain), _microseconds(ours)
    pairs = [(_microseconds(plain), _microseconds(ours)) for _ in range(ROUNDS)]
    print(f"pykka's own  {statistics.median(a for a, _ in pairs):6.1f} µs an ask")
    print(f"ours         {statistics.median(b for _, b in pairs):6.1f} µs an ask")
    print(f"ours / own   {statistics.median(b / a for a, b in pairs):6.2f}")
    pykka.ActorRegistry.stop_all()


if __name__ == "__main__":
    main()
