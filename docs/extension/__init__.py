"""What the documentation takes from the code, so that it is said once: tables of settings and calls, and diagrams."""

from __future__ import annotations

from collections.abc import Callable

from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from docs.extension import calls, diagrams, metrics, settings, soak

GENERATORS: dict[str, Callable[[str], list[str]]] = {
    "variables": settings.variables,
    "keys": settings.keys,
    "calls": calls.calls,
    "models": calls.models,
    "metrics": metrics.metrics,
    "diagram": diagrams.diagram,
    "soak": soak.soak,
}
"""Directive -> what makes its lines of reStructuredText of its argument."""


class _Generated(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list:
        return self.parse_text_to_nodes(
            "\n".join(GENERATORS[self.name](self.arguments[0])), allow_section_headings=False
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives: Sphinx calls this."""
    for name in GENERATORS:
        app.add_directive(name, _Generated)
    return {"parallel_read_safe": True}
