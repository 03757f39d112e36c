"""Where the Kafka server comes from: Java from this machine, the server's files from Maven by `pom.xml`."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from deploy.lifetimes import CannotStart

POM = Path(__file__).with_name("pom.xml")
OLDEST_JAVA = 17
RESOLVE_SECONDS = 600.0  # the first time some 45 MB are fetched
JAVA_SECONDS = 20.0


class KafkaUnavailable(CannotStart):
    """Kafka cannot be run on this machine, or did not start."""


def why_unavailable() -> str | None:
    """Why no broker can be run here, in one sentence, or None when one can; fetches the server the first time."""
    try:
        java()
        class_path()
    except KafkaUnavailable as reason:
        return str(reason)
    return None


def java() -> str:
    """The path of a Java new enough for the server: the one of `JAVA_HOME`, or the first on the `PATH`."""
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=f"{home}/bin" if home else None)
    if program is None:
        raise KafkaUnavailable(f"Kafka needs Java {OLDEST_JAVA} or newer, and there is no java on the PATH")
    told = _run([program, "-version"], seconds=JAVA_SECONDS).stderr
    version = re.search(r'version "(?:1\.)?(\d+)', told)
    if version is None or int(version[1]) < OLDEST_JAVA:
        found = told.partition("\n")[0].strip()
        raise KafkaUnavailable(f"Kafka needs Java {OLDEST_JAVA} or newer, and {program} is {found}")
    return program


def class_path() -> str:
    """The server's files, joined as Java wants them; asked of Maven once for each content of `pom.xml`."""
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    known = _cache() / f"kafka-{digest}.classpath"
    if known.exists() and all(Path(file).exists() for file in known.read_text().split(os.pathsep)):
        return known.read_text()
    known.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=known.parent) as folder:
        found = Path(folder) / known.name
        _resolve(found)
        found.replace(known)
    return known.read_text()


def _resolve(output: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable("the Kafka server is fetched with Maven, and there is no mvn on the PATH")
    options = ["--batch-mode", "--quiet", "--strict-checksums", "--file", str(POM)]
    goal = ["dependency:build-classpath", f"-Dmdep.outputFile={output}"]
    result = _run([maven, *options, *goal], seconds=RESOLVE_SECONDS)
    if result.returncode != 0 or not output.exists():
        errors = [line for line in result.stdout.splitlines() if "ERROR" in line] or [result.stderr.strip()]
        raise KafkaUnavailable(f"Maven could not fetch the Kafka server: {errors[0]}")


def _run(command: list[str], *, seconds: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as slow:
        raise KafkaUnavailable(f"{Path(command[0]).name} did not finish within {seconds:.0f} s") from slow


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "psip"
