"""Fuzz what people may write to the bot: ``python -m tests.security.fuzz_commands --minutes 5`` (needs atheris)."""

from __future__ import annotations

import sys

from tests.security import fuzzing

SEEDS = tuple(
    text.encode()
    for text in (
        "<@U0MACBOT> oops Metal Mill: belt slips",
        "<@U0MACBOT|mac> status",
        "<@U0MACBOT> LOCK “cnc: Big One”: dust\nclear cnc",
        '<@U0MACBOT> clear 7" saw',
        "<@U0MACBOT> history `GROSSER OFEN`",
        "<@U0MACBOT> oops &lt;b&gt; &amp;amp; <@U1|ann> <#C1|general> <!here> <mailto:a@b.io|a@b.io>",
        "<@U0ADA> lock laser",
        "Größe 100% / Laser #1?: x",
        "''x_1'': reason",
    )
)
WORDS = (
    *("<@U0MACBOT>", "oops ", "lock ", "clear ", "status ", "history ", "help ", "list ", "metal-mill", "Metal Mill"),
    *("laser", "CNC: big one", '7" saw', "Großer Ofen", "x_1", ": ", "&amp;", "&lt;", "&gt;", "<!", "<#", "|", ">"),
    *("“", "”", "‘", "`", "\u2028", "\u00a0", "ſ", "İ"),
)

if __name__ == "__main__":
    sys.exit(fuzzing.main("commands", SEEDS, WORDS))
