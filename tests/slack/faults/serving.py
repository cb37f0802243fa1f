"""What works whatever Slack does, and how it is told once Slack works too."""

from __future__ import annotations

from typing import Any

from mac_actors.core.state import Status
from tests.fakes import PATIENCE
from tests.slack.shop import ADA_FOB, Shop
from tests.slack.standin.records import Post
from tests.slack.standin.workspace import CONTROL, OOPS


def readyz(shop: Shop) -> dict[str, str]:
    """What /readyz notes; the server must be ready all the same."""
    reply = shop.http.get("/readyz")
    assert reply.status == 200, reply
    assert reply.json["ready"] is True
    notes: dict[str, str] = reply.json["notes"]
    return notes


def serves(shop: Shop) -> None:
    """Readers and admins are answered."""
    shop.report("metal-mill")
    assert shop.report("metal-mill", ADA_FOB)["relay"] is True
    assert shop.report("metal-mill")["relay"] is False
    assert shop.http.post("/api/machine/oops/welder", {"reason": "no gas"}).status == 200
    assert shop.http.post("/api/machine/clear/welder").status == 200


def served(shop: Shop, channel: str = CONTROL) -> None:
    """What :func:`serves` did is posted, once and in order."""
    control = ["logged in", "session ended", "is oopsed", "is no longer oopsed"]
    wanted = control if channel == CONTROL else control[2:]
    shop.workspace.wait_for(lambda: len(lines(shop.posts(channel))) >= len(wanted), PATIENCE)
    found = lines(shop.posts(channel))
    assert len(found) == len(wanted), found
    for line, part in zip(found, wanted, strict=True):
        assert part in line


def lines(posts: list[Post]) -> list[str]:
    """The lines of posts, without the summary that ends that of a clear."""
    return [line.partition(" Out of use for ")[0] for post in posts for line in post.text.splitlines()]


def works(shop: Shop) -> None:
    """Commands are carried out."""
    shop.connected()
    shop.say("oops Table Saw")
    shop.say("clear Table Saw")
    assert shop.state("table-saw").status is Status.IDLE
    shop.workspace.wait_for(lambda: "Table Saw is no longer oopsed." in lines(shop.posts(OOPS)), PATIENCE)


def first(shop: Shop, channel: str) -> Any:
    order = ["logged in", "session ended", "is oopsed", "no longer oopsed"]
    return lambda line: next(number for number, part in enumerate(order) if part in line)
