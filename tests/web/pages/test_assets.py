"""The files that pages load, and no others."""

from __future__ import annotations

import pytest

from tests.web.client import Running


@pytest.mark.parametrize(
    "name", ["../models.py", "..%2f..%2fcli.py", "docs", "", ".", "%00.js", "nothing.css", "%FF.js"]
)
def test_no_other_file_is_served(shared_server: Running, name: str) -> None:
    assert shared_server.get(f"/static/{name}").status == 404
