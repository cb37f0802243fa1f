"""A directive for Sphinx: ``.. metrics::`` lists all metrics, from the table that /metrics is made of."""

from __future__ import annotations

from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mac_actors.web.metric_table import TABLE


class Metrics(SphinxDirective):
    """Lists the metrics whose names begin with the argument."""

    required_arguments = 1

    def run(self) -> list:
        """Return the list, as the page's own source would have given it."""
        lines = [".. list-table::", "   :widths: 40 15 45", "   :header-rows: 1", ""]
        lines += ["   * - metric", "     - type; labels", "     - what it says"]
        for metric in TABLE:
            if metric.name.startswith("mac_") is (self.arguments[0] == "mac_"):
                labels = ", ".join(f"``{label}``" for label in metric.labels)
                lines += [f"   * - ``{metric.name}``", f"     - {metric.kind}{'; ' if labels else ''}{labels}"]
                lines += [f"     - {metric.help}"]
        return self.parse_text_to_nodes(StringList(lines, source="metric_table.py"))


def setup(app: Sphinx) -> dict:
    """Make the directive known."""
    app.add_directive("metrics", Metrics)
    return {"parallel_read_safe": True}
