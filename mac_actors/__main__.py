"""``python -m mac_actors`` is ``mac-actors``."""

from mac_actors.cli import main

main(prog_name="mac-actors")
