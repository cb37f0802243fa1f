"""What a space calls itself and shows of itself to others: variables, and the files that they name."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from mac_actors.core.text import visible
from mac_actors.settings.variables import Variable, readable_file, refused

LOGO_BYTES = 500_000
"""A larger logo is refused: each page would carry it over the shop's Wi-Fi."""

_LOGOS = {
    rb"\x89PNG\r\n\x1a\n": "image/png",
    rb"\xff\xd8\xff": "image/jpeg",
    rb"RIFF....WEBP": "image/webp",
    rb"\s*(<\?xml|<!--|<!DOCTYPE svg|<svg)": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture, and what kind of one."""

    content: bytes = field(repr=False)
    type: str

    @property
    def sizes(self) -> str:
        """Its size as a manifest has it; empty for one that is no square, or whose size is not known."""
        if self.type == "image/svg+xml":
            return "any"
        width, height = (int.from_bytes(self.content[at : at + 4], "big") for at in (16, 20))
        return f"{width}x{height}" if self.type == "image/png" and width == height >= 192 else ""


def _name(text: str) -> str:
    if len(text) > 60 or visible(text) != text:
        raise refused(text, "a name of up to 60 characters that people can read")
    return text


def _logo(text: str) -> Logo:
    content = readable_file(text).read_bytes()[: LOGO_BYTES + 1]
    if len(content) > LOGO_BYTES:
        raise refused(text, f"a picture of up to {LOGO_BYTES // 1000} kB: make it smaller")
    for pattern, kind in _LOGOS.items():
        if re.match(pattern, content, re.DOTALL):
            return Logo(content, kind)
    raise refused(text, "a picture: PNG, JPEG, WebP or SVG")


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(text.replace(",", " ").split())
    for origin in origins:
        if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:.]+\](:\d{1,5})?", origin):
            raise refused(
                origin, "addresses of web sites without a path, like https://example.org, with spaces between"
            )
    return origins


def _space_api(text: str) -> dict[str, Any]:
    """Take a file in SpaceAPI's format; what it must have by version 15 is looked for."""
    try:
        data = json.loads(readable_file(text).read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, ValueError) as error:
        if not isinstance(error, UnicodeDecodeError | json.JSONDecodeError):
            raise
        raise refused(text, f"a file of JSON ({error})") from None
    missing = [
        f"{key} ({kind.__name__.replace('str', 'text').replace('dict', 'object')})"
        for key, kind in {"space": str, "logo": str, "url": str, "contact": dict}.items()
        if not isinstance(data, dict) or not isinstance(data.get(key), kind)
    ]
    if missing:
        raise refused(text, f"an object of SpaceAPI 15; it lacks {', '.join(missing)}")
    if not isinstance(data.get("sensors", {}), dict):
        raise refused(text, "an object of SpaceAPI 15, whose sensors are an object")
    return dict(data)


MAC_SPACE_NAME = Variable(
    "MAC_SPACE_NAME", _name, "What the space is called: on pages, walls, labels and on a phone's home screen."
)
MAC_SPACE_LOGO = Variable(
    "MAC_SPACE_LOGO",
    _logo,
    "The file of its logo, shown beside the name: PNG, JPEG, WebP or SVG, up to 500 kB. A square one of 192 pixels or "
    "more is also the icon on a phone's home screen.",
)
MAC_EMBED_ORIGINS = Variable(
    "MAC_EMBED_ORIGINS",
    _origins,
    "Other web sites that may show ``/embed`` within their pages and read the public calls of the API, like "
    "``https://example.org``, with spaces between. Not set: none may.",
)
MAC_SPACEAPI = Variable(
    "MAC_SPACEAPI",
    _space_api,
    "A file with what the space tells of itself in the format of SpaceAPI (version 15). It turns ``/spaceapi.json`` "
    "on, which adds the machines.",
)

VARIABLES = (MAC_SPACE_NAME, MAC_SPACE_LOGO, MAC_EMBED_ORIGINS, MAC_SPACEAPI)


@dataclass(frozen=True, slots=True)
class Space:
    """The values of these variables."""

    name: str | None = MAC_SPACE_NAME.setting
    logo: Logo | None = MAC_SPACE_LOGO.setting
    embed_origins: tuple[str, ...] | None = MAC_EMBED_ORIGINS.setting
    space_api: dict[str, Any] | None = MAC_SPACEAPI.setting
