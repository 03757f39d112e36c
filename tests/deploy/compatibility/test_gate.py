"""The gate over the folder of released contracts: which release counts, what is accepted, and what is printed."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy import contracts, openapi
from deploy.compatibility.released import accepted, newest, release, report, unkept

TODAY = "2026-11-23"
NO_EVENTS: dict[str, Any] = {"channels": {}, "components": {"messages": {}}}


def http(*paths: str) -> dict[str, Any]:
    return {"paths": {path: {"get": {"operationId": path, "responses": {}}} for path in paths}}


def released(folder: Path, version: str, *paths: str) -> None:
    into = folder / version
    into.mkdir()
    (into / "openapi.json").write_text(json.dumps(http(*paths)))
    (into / "asyncapi.json").write_text(json.dumps(NO_EVENTS))


def test_before_the_first_release_nothing_is_promised(tmp_path: Path) -> None:
    assert unkept(tmp_path, http=http(), events=NO_EVENTS, today=TODAY) == []


def test_the_last_release_counts_and_ten_comes_after_nine(tmp_path: Path) -> None:
    released(tmp_path, "0.9.0", "/v1/old", "/v1/kept")
    released(tmp_path, "0.10.0", "/v1/kept")

    assert newest(tmp_path) == tmp_path / "0.10.0"
    assert unkept(tmp_path, http=http("/v1/kept"), events=NO_EVENTS, today=TODAY) == []


def test_what_was_accepted_with_a_reason_is_let_through(tmp_path: Path) -> None:
    released(tmp_path, "0.1.0", "/v1/a", "/v1/b")
    (tmp_path / "accepted.toml").write_text('[[broken]]\nwhere = "GET /v1/a"\nwhy = "nobody may read it"\n')

    found = unkept(tmp_path, http=http(), events=NO_EVENTS, today=TODAY)

    assert [one.where for one in found] == ["GET /v1/b"]
    assert "promises of 0.1.0 that are not kept:\n\nGET /v1/b\n" in report(found, "0.1.0")


def test_nothing_is_accepted_without_a_reason(tmp_path: Path) -> None:
    released(tmp_path, "0.1.0", "/v1/a")
    (tmp_path / "accepted.toml").write_text('[[broken]]\nwhere = "GET /v1/a"\n')

    with pytest.raises(SystemExit, match="say why for GET /v1/a"):
        unkept(tmp_path, http=http(), events=NO_EVENTS, today=TODAY)


def test_a_release_keeps_the_contracts_for_all_time_and_only_once(tmp_path: Path) -> None:
    (tmp_path / "accepted.toml").write_text('[[broken]]\nwhere = "GET /v1/a"\nwhy = "nobody may read it"\n')

    into = release(tmp_path, "0.2.0")

    assert json.loads((into / "openapi.json").read_text()) == json.loads(openapi.FILE.read_text())
    assert json.loads((into / "asyncapi.json").read_text()) == json.loads(contracts.FILE.read_text())
    assert accepted(tmp_path) == set()
    with pytest.raises(SystemExit, match=r"0\.2\.0 has been released"):
        release(tmp_path, "0.2.0")
