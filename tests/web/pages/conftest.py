"""A server whose admins have a token."""

from __future__ import annotations

import pytest

from mac_actors.settings import Tokens
from tests.conftest import MakeServer
from tests.web.client import Running
from tests.web.pages.forms import TOKEN


@pytest.fixture
def guarded(make_server: MakeServer) -> Running:
    return make_server(tokens=Tokens(admin=TOKEN))
