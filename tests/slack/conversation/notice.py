"""An oops notice, and what can be read and pressed there."""

from __future__ import annotations

from tests.slack.shop import Shop
from tests.slack.standin.records import Post
from tests.slack.standin.workspace import CONTROL


def oops_notice(shop: Shop, name: str = "Metal Mill") -> Post:
    """Oops a machine; return its notice in the control channel."""
    shop.say(f"oops {name}: belt slips")
    shop.drained()
    shop.begin()
    return [post for post in shop.workspace.posts(CONTROL) if post.blocks][-1]


def buttons(shop: Shop, notice: Post) -> list[str]:
    shown = shop.workspace.message(notice.channel, notice.ts)
    return [element["text"]["text"] for block in shown.blocks for element in block.get("elements", ())
            if element["type"] == "button"]  # fmt: skip


def shown_text(shop: Shop, notice: Post) -> str:
    """All that can be read in the notice now."""
    shown = shop.workspace.message(notice.channel, notice.ts)
    parts = [block["text"]["text"] for block in shown.blocks if block["type"] == "section"]
    parts += [e["text"] for b in shown.blocks if b["type"] == "context" for e in b["elements"]]
    return "\n".join(parts)
