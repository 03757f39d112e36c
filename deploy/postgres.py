"""A real PostgreSQL that needs no installation: programs from a wheel, supervised by us.

One folder holds one cluster. The process that starts the server holds a lock on the folder; the server listens on a
Unix socket in a private folder and on nothing else, and goes away with the process that started it, however that ends:

- `stop()` or the end of the `with` block stops it in order;
- a pipe is held open to a small watcher, which stops the server when the pipe closes, so also after `kill -9`;
- should the watcher be killed too, the next `start()` finds what is still running on the cluster and stops it first.

Nothing that was committed is lost in any of these cases (`fsync` is on).
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import IO, Self

import psutil

from deploy.databases import service_url
from deploy.lifetimes import CannotStart, Lifetime
from deploy.processes import Account, start_program
from deploy.unprivileged import account_for, hand_over, programs, socket_folder

START_SECONDS = 60.0  # a server that replays a long log after a crash needs some
STOP_SECONDS = 20.0
LEFTOVER_SECONDS = 10.0
POLL_SECONDS = 0.01

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",  # names the socket; nothing listens on it
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # What a log line could repeat of a patient's data: values in DETAIL, rows in CONTEXT, literals in a statement.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}
INITDB = (
    *("--username=psip", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    *("--auth-local=trust", "--auth-host=reject", "--no-instructions"),  # the socket folder is the guard
)
WATCHER = 'read -r _; kill -INT "$1"'  # a fast shutdown: open transactions are rolled back


class PostgresUnavailable(CannotStart):
    """The embedded server cannot be started."""


class DataFolderInUse(PostgresUnavailable):
    """Another process runs a server on this folder."""


class Postgres(Lifetime):
    """One server on one folder, for as long as a `with` block or between `start()` and `stop()`.

    `data_dir` is created when missing and then holds `cluster/`, `server.log` and `supervisor.json`.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self.cluster = self.data_dir / "cluster"
        self.log = self.data_dir / "server.log"
        self._lock: IO[str] | None = None
        self._sockets: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the server, None when it does not run."""
        return self._server.pid if self._server and self._server.poll() is None else None

    @property
    def server_url(self) -> str:
        """The libpq URL of the server, for `ensure_databases` and `service_url`."""
        if self._sockets is None:
            raise PostgresUnavailable(f"the server of {self.data_dir} is not running: call start() first")
        return _server_url(self._sockets)

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of one database."""
        return service_url(self.server_url, database)

    def start(self) -> Self:
        """Start the server, creating the cluster the first time; returns when it answers (about 1 s, then 0.1 s).

        Does nothing when it runs already; starts it again when it has died.
        Raises `DataFolderInUse` or `PostgresUnavailable`.
        """
        if self.pid is not None:
            return self
        self.stop()
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(self.data_dir)
        try:
            _clear_up(self._lock, self.cluster)
            account = account_for(self.cluster)
            if not self.cluster.exists():
                _create_cluster(self.cluster, account)
            hand_over(self.cluster, account)
            self._sockets = socket_folder(account)
            _note(self._lock, self._sockets)
            self._launch(account)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the server in order, or by force after 20 s; safe to call at any time."""
        if self._watcher is not None:
            self._watcher.kill()  # before the server: its process id must not be signalled once it is free again
            self._watcher.communicate()
            self._watcher = None
        if self._server is not None:
            _stop(self._server)
            self._server = None
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _launch(self, account: Account | None) -> None:
        options = [text for name, value in SETTINGS.items() for text in ("-c", f"{name}={value}")]
        command = [str(programs(account) / "postgres"), "-D", _as_seen(self.cluster, account), "-k", str(self._sockets)]
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.previous"))
        with self.log.open("wb") as log:
            self._server = start_program([*command, *options], folder=self.cluster, account=account, output=log)
        watch = ["/bin/sh", "-c", WATCHER, "psip-postgres-watcher", str(self._server.pid)]
        self._watcher = start_program(
            watch, folder=self.cluster, account=account, stdin=subprocess.PIPE, output=subprocess.DEVNULL
        )
        self._await_ready(self._server)

    def _await_ready(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _is_ready(self.cluster, server.pid):
            if server.poll() is not None:
                raise PostgresUnavailable(f"PostgreSQL stopped while starting; {self.log} ends:\n{self._last_lines()}")
            if time.monotonic() > deadline:
                raise PostgresUnavailable(f"PostgreSQL is not ready after {START_SECONDS:.0f} s; see {self.log}")
            time.sleep(POLL_SECONDS)

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])


def running_server_url(data_dir: Path) -> str | None:
    """The libpq URL of the server that another process runs on `data_dir`; None when there is none."""
    try:
        with _lock_file(data_dir).open() as file:
            if _take(file):
                return None
            return _server_url(Path(json.load(file)["sockets"]))
    except (FileNotFoundError, ValueError, KeyError):  # no folder, or a server that is just starting
        return None


def _server_url(sockets: Path) -> str:
    return f"postgresql://psip@/postgres?host={sockets}&port={SETTINGS['port']}"


def _lock_file(data_dir: Path) -> Path:
    return data_dir / "supervisor.json"


def _locked(data_dir: Path) -> IO[str]:
    file = os.fdopen(os.open(_lock_file(data_dir), os.O_RDWR | os.O_CREAT, 0o600), "r+")
    if _take(file):
        return file
    with file:
        holder = file.read()
    owner = f"process {json.loads(holder)['process']}" if holder else "another process"
    raise DataFolderInUse(f"{data_dir} is in use by {owner}: stop it, or choose another data folder")


def _take(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _note(lock: IO[str], sockets: Path) -> None:
    lock.seek(0)
    lock.truncate()
    json.dump({"process": os.getpid(), "sockets": str(sockets)}, lock)
    lock.flush()


def _clear_up(lock: IO[str], cluster: Path) -> None:
    """Remove what a killed supervisor left: its server, its stale process id file, its socket folder."""
    if (cluster / "postmaster.pid").exists():
        _stop_leftovers(cluster)
        (cluster / "postmaster.pid").unlink(missing_ok=True)  # its number may belong to somebody else by now
    if earlier := lock.read():
        sockets = Path(json.loads(earlier)["sockets"])
        if sockets.name.startswith("psip-"):
            shutil.rmtree(sockets, ignore_errors=True)


def _stop_leftovers(cluster: Path) -> None:
    """Stop whatever still runs on the cluster: a whole server, or the orphans of one that was killed."""
    found = [
        p
        for p in psutil.process_iter(["name", "cwd"])
        if p.info["name"] == "postgres" and p.info["cwd"] == str(cluster)
    ]
    first_line = (cluster / "postmaster.pid").read_text().partition("\n")[0]
    postmaster = [process for process in found if str(process.pid) == first_line]
    _signal(postmaster, signal.SIGINT)
    _, remaining = psutil.wait_procs(found, timeout=LEFTOVER_SECONDS if postmaster else 0)
    _signal(remaining, signal.SIGQUIT)  # no orderly shutdown; the log is replayed at the next start
    _, remaining = psutil.wait_procs(remaining, timeout=LEFTOVER_SECONDS)
    if remaining:
        numbers = ", ".join(str(process.pid) for process in remaining)
        raise PostgresUnavailable(f"processes {numbers} of an earlier server on {cluster} do not stop: end them first")


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:  # it went by itself
            continue


def _create_cluster(cluster: Path, account: Account | None) -> None:
    making = cluster.with_name("cluster.new")  # renamed when whole, so half of one is never taken for a cluster
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    hand_over(making, account)
    command = [str(programs(account) / "initdb"), "-D", _as_seen(making, account), *INITDB]
    initdb = start_program(command, folder=making, account=account, output=subprocess.PIPE)
    try:
        said, _ = initdb.communicate(timeout=START_SECONDS)
    except BaseException:
        initdb.kill()
        initdb.communicate()
        raise
    if initdb.returncode != 0:
        raise PostgresUnavailable(f"initdb could not create {cluster}:\n{said.decode(errors='replace').strip()}")
    making.rename(cluster)


def _as_seen(cluster: Path, account: Account | None) -> str:
    return str(cluster) if account is None else "/proc/self/cwd"


def _is_ready(cluster: Path, pid: int) -> bool:
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) == 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _stop(server: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGQUIT):  # in order, then at once
        server.send_signal(number)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return
    server.kill()
    server.wait()
