"""How the documentation is built."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from mac_actors.version import VERSION

project = "mac-actors"
author = "the mac-actors authors"
copyright = "2026, the mac-actors authors"
release = version = VERSION
extensions = ["sphinx.ext.autodoc", "sphinx.ext.graphviz", "docs.extension"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"mac-actors {VERSION}"
nitpicky = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
graphviz_output_format = "svg"
