"""The commands' client of the API."""

from __future__ import annotations

import socket

import pytest

from kubelite.cli.client import ApiError
from tests.unit.cli.conftest import Server


def test_client_is_an_administrator_by_its_certificate(server: Server) -> None:
    assert [one["metadata"]["name"] for one in server.client.items("/api/v1/namespaces")]


def test_refusal_is_an_error_with_its_causes(server: Server) -> None:
    with pytest.raises(ApiError) as refused:
        server.client.request("POST", "/api/v1/namespaces", {"metadata": {"name": "No"}})
    assert (refused.value.code, refused.value.reason) == (422, "Invalid")
    assert refused.value.causes[0]["field"] == "metadata.name"


def test_absent_object_is_none(server: Server) -> None:
    assert server.client.find("/api/v1/namespaces/none") is None


def test_warnings_are_those_of_the_last_answer(server: Server) -> None:
    body = {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}, "specs": 1}
    query = {"fieldValidation": "Warn"}
    server.client.request("POST", "/api/v1/namespaces/default/services", body, query=query)
    assert server.client.warnings == ['unknown field "specs"']
    server.client.get("/version")
    assert server.client.warnings == []


@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_WR], ids=["reads the end", "can't be written to"])
def test_idle_connection_that_the_server_closed_is_opened_anew(server: Server, how: int) -> None:
    server.client.get("/version")
    idle = server.client._connection.sock
    assert idle is not None
    idle.shutdown(how)  # as after the server hung up
    assert server.client.get("/version")["major"] == "1"
