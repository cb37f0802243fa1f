"""The files that pages load, and no others."""

from __future__ import annotations

import gzip

import pytest

from tests.web.client import Running


@pytest.mark.parametrize(
    "name", ["../models.py", "..%2f..%2fcli.py", "docs", "", ".", "%00.js", "nothing.css", "%FF.js"]
)
def test_no_other_file_is_served(shared_server: Running, name: str) -> None:
    assert shared_server.get(f"/static/{name}").status == 404


@pytest.mark.parametrize("path", ["/", "/static/board.js"])
def test_a_browser_that_takes_it_compressed_gets_a_fraction(shared_server: Running, path: str) -> None:
    plain, zipped = (shared_server.get(path, headers={"Accept-Encoding": kind}) for kind in ("identity", "gzip, br"))
    assert (zipped.headers["Content-Encoding"], plain.headers["Content-Encoding"]) == ("gzip", None)
    assert zipped.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert len(zipped.body) < len(plain.body) / 2
    text = gzip.decompress(zipped.body)
    assert text == plain.body or path == "/"
