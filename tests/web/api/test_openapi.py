"""The description of the API is whole and right."""

from __future__ import annotations

import re
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from mac_actors.version import VERSION
from tests.fakes import ANN
from tests.web.client import Running, report_body


@pytest.fixture(scope="module")
def openapi(shared_server: Running) -> dict[str, Any]:
    """The description."""
    description: dict[str, Any] = shared_server.get("/openapi.json").json
    return description


def test_the_description_is_valid_openapi_3_1(openapi: dict[str, Any]) -> None:
    validate(openapi)
    assert openapi["openapi"].startswith("3.1")
    assert openapi["info"]["version"] == VERSION


def test_every_route_is_described_and_everything_described_is_there(
    openapi: dict[str, Any], shared_server: Running
) -> None:
    described = {(method.upper(), path) for path, item in openapi["paths"].items() for method in item}
    routes = {
        (route.method, re.sub(r"<(\w+)[^>]*>", r"{\1}", route.rule))
        for route in shared_server.service.shop.app.routes
        if not re.match(
            r"/(static/|board/|people|machines/|shop|labels|embed|help|spaceapi.json$|logo$|app.webmanifest|log(in|out)(/|$)|docs$|openapi|"
            r"api$|$)",
            route.rule,
        )  # these are for browsers
    }
    assert described == routes


def test_answers_are_as_described(openapi: dict[str, Any], server: Running) -> None:
    server.outputs("laser", ANN)
    server.post("/api/machine/oops/router", {"reason": "belt"})
    answers = [
        ("/api/machine/update", "post", server.report("metal-mill")),
        ("/api/machine/update", "post", server.report("nope")),
        ("/api/machine/update", "post", server.post("/api/machine/update", {})),
        ("/api/machine/oops/{name}", "post", server.post("/api/machine/oops/router")),
        ("/api/machine/oops/{name}", "post", server.post("/api/machine/oops/nope")),
        ("/api/reload", "post", server.post("/api/reload")),
        ("/api/reload-users", "post", server.post("/api/reload-users")),
        ("/api/", "get", server.get("/api/")),
        ("/api/machines", "get", server.get("/api/machines")),
        ("/api/machines/{name}", "get", server.get("/api/machines/laser")),
        ("/api/machines/{name}/events", "get", server.get("/api/machines/laser/events")),
        ("/api/events", "get", server.get("/api/events")),
        ("/api/events", "get", server.get("/api/events?limit=x")),
        ("/healthz", "get", server.get("/healthz")),
        ("/readyz", "get", server.get("/readyz")),
    ]
    for path, method, reply in answers:
        content = openapi["paths"][path][method]["responses"][str(reply.status)]["content"]
        schema = {**content["application/json"]["schema"], "components": openapi["components"]}
        assert not [error.message for error in OAS31Validator(schema).iter_errors(reply.json)], path


def test_the_described_report_is_the_one_that_is_taken(openapi: dict[str, Any]) -> None:
    operation = openapi["paths"]["/api/machine/update"]["post"]
    schema = {
        **operation["requestBody"]["content"]["application/json"]["schema"],
        "components": openapi["components"],
    }
    assert OAS31Validator(schema).is_valid(report_body("metal-mill", None, uptime=None))
    assert not OAS31Validator(schema).is_valid({**report_body("metal-mill"), "oops": "no"})
    assert not OAS31Validator(schema).is_valid({"machine_name": "metal-mill"})
