"""How the documentation is built."""

import sys
from pathlib import Path

from mac_actors.version import VERSION

sys.path.insert(0, str(Path(__file__).parent))  # metric_reference

project = "mac-actors"
author = "the mac-actors authors"
copyright = "2026, the mac-actors authors"
release = version = VERSION
extensions = ["sphinx.ext.autodoc", "metric_reference"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"mac-actors {VERSION}"
nitpicky = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
