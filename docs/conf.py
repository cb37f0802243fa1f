"""How the documentation is built."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from mac_actors.version import VERSION

project = "mac-actors"
author = "the mac-actors authors"
copyright = "2026, the mac-actors authors"
release = version = VERSION
extensions = ["sphinx.ext.autodoc", "sphinx.ext.graphviz", "sphinx_copybutton", "docs.extension"]
# A button copies what is typed, without the prompt and without what is answered.
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"mac-actors {VERSION}"
nitpicky = True
# What no page here describes: types of Python and of pykka; type variables, which Sphinx can't link; a class that has
# no public name.
nitpick_ignore_regex = [
    ("py:class", r"(collections|datetime|pathlib|pykka)\..+"),
    ("py:class", r"mac_actors\..+\.[A-Z]"),
    ("py:class", r"mac_actors\..+\.RemoteMachine"),
]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
graphviz_output_format = "svg"
