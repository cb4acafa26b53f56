"""`docs/openapi.json` is complete, valid and what the gateway really says."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi.routing import APIRoute
from openapi_spec_validator import OpenAPIV31SpecValidator

from parley.telemetry import SpanStore
from parley_gateway.app import build_rest
from parley_gateway.desk import Desk
from parley_gateway.openapi import document
from parley_gateway.realtime.crowd import Crowd
from parley_gateway.rest.openapi import CALLS, PROBES

BARE = ("/v1/media/", "/v1/rt/stream")  # what answers with something else than an envelope
CHECKED_IN = Path(__file__).parents[2] / "docs" / "openapi.json"
CREATING = ("post",)


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return cast(dict[str, Any], json.loads(document()))


def calls(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, call) for path, found in described["paths"].items() for method, call in found.items()]


def test_the_checked_in_description_is_what_the_gateway_says() -> None:
    hint = "run: python -m parley_gateway.openapi docs/openapi.json"
    assert CHECKED_IN.read_text(encoding="utf-8") == document(), hint


def test_it_is_a_valid_openapi_document(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1")
    assert [str(error) for error in OpenAPIV31SpecValidator(described).iter_errors()] == []


def test_every_route_of_the_gateway_is_described(described: dict[str, Any]) -> None:
    app = build_rest(cast(Desk, None), cast(Crowd, None), SpanStore())
    routed = set(_routes(app.routes))
    assert {(method, path) for method, path, _ in calls(described)} == routed
    assert routed - {("get", path) for path in PROBES} == set(CALLS)


def _routes(routes: Any) -> list[tuple[str, str]]:
    """Every (method, path) that is part of the HTTP interface; the page's own files are not."""
    found: list[tuple[str, str]] = []
    for route in routes:
        if inner := getattr(route, "original_router", None):
            found += _routes(inner.routes)
        elif isinstance(route, APIRoute):
            found += [(method.lower(), route.path) for method in route.methods or ()]
        elif getattr(route, "path", "") in PROBES:
            found.append(("get", route.path))
    return found


def test_every_call_says_what_it_does_who_may_make_it_and_how_it_fails(described: dict[str, Any]) -> None:
    for method, path, call in calls(described):
        if path in PROBES:
            continue
        answers = set(call["responses"])
        assert len(call["description"]) > 10, path
        assert "security" in call, path
        assert {"400", "405", "500", "503"} <= answers, path
        assert not call["security"] or {"401", "403"} <= answers, path
        assert method not in CREATING or {"408", "413"} <= answers, path
        assert "422" not in answers, path
        assert any(status.startswith("2") for status in answers), path


def test_every_answer_is_an_envelope_and_names_its_trace(described: dict[str, Any]) -> None:
    for _, path, call in calls(described):
        for status, answer in call["responses"].items():
            if path in PROBES or (status == "200" and path.startswith(BARE)):
                continue
            name = answer.get("$ref", "").rpartition("/")[2]
            said = described["components"]["responses"][name] if name else answer
            assert set(said["headers"]) == {"X-Trace-ID", "traceparent"}
            schema = said["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            fields = described["components"]["schemas"][schema]["properties"]
            assert set(fields) == {"code", "data", "message", "trace_id"}, (path, status)


def test_operation_ids_are_names_that_a_generated_client_can_carry(described: dict[str, Any]) -> None:
    names = [call["operationId"] for _, _, call in calls(described)]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_nothing_described_is_unused(described: dict[str, Any]) -> None:
    text = json.dumps(described)
    for kind in ("schemas", "responses", "headers"):
        for name in described["components"][kind]:
            assert f'"#/components/{kind}/{name}"' in text, name


def test_bodies_have_an_example_that_their_schema_takes(described: dict[str, Any]) -> None:
    from jsonschema import Draft202012Validator

    schemas = described["components"]["schemas"]
    for name in ("VisitorTokenIn", "MessageIn", "AgentMessageIn", "AgentIn"):
        (example,) = schemas[name]["examples"]
        Draft202012Validator({**schemas[name], "components": described["components"]}).validate(example)
