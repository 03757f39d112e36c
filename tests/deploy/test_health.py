"""Tests of what containers are asked: whether an app is ready, whether a worker makes progress."""

import os
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from deploy import health
from deploy.serving import Server


def an_app(status: int) -> Starlette:
    """An app that answers so when it is asked whether it is ready."""
    return Starlette(routes=[Route("/health/ready", lambda _: JSONResponse({"database": "failed"}, status))])


def test_an_app_that_says_so_is_ready():
    with Server(an_app(200)) as server:
        health.ready(f"127.0.0.1:{server.port}")


def test_an_app_that_is_not_ready_says_what_is_not():
    with Server(an_app(503)) as server, pytest.raises(SystemExit, match="database"):
        health.ready(f"127.0.0.1:{server.port}")


@pytest.fixture
def heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the worker is set to touch its heartbeat."""
    monkeypatch.setenv("PSIP_HEARTBEAT", str(tmp_path / "heartbeat"))
    return tmp_path / "heartbeat"


def test_a_worker_that_has_just_touched_its_heartbeat_is_alive(heartbeat: Path):
    heartbeat.touch()
    health.alive()


def test_a_worker_that_touched_it_long_ago_is_not(heartbeat: Path):
    heartbeat.touch()
    long_ago = time.time() - 10 * health.STALE_SECONDS
    os.utime(heartbeat, (long_ago, long_ago))
    with pytest.raises(SystemExit, match="no progress for 300 s"):
        health.alive()


def test_a_worker_that_never_did_is_not(heartbeat: Path):
    with pytest.raises(SystemExit, match="no progress"):
        health.alive()
