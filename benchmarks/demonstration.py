"""P9: how soon `psip demo` serves, how soon its data is in, and what the one-process platform holds in memory at rest.

Goals: serving within 20 s of the command, the data in within 60 s, at most 400 MB at rest (its PostgreSQL aside).
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        command = [sys.executable, "-m", "deploy.cli", "demo", "--data-dir", folder, "--port", "8765"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
            try:
                _await_serving(Path(folder))
                print(f"P9 serving after {time.perf_counter() - began:.1f} s (goal 20)")
                _await_data(demo)
                print(f"P9 data in, and what it should show shown, after {time.perf_counter() - began:.1f} s (goal 60)")
                time.sleep(5)
                print(f"P9 at rest {psutil.Process(demo.pid).memory_info().rss / 1e6:.0f} MB (goal 400)")
            finally:
                demo.terminate()


def _await_serving(folder: Path) -> None:
    handle = folder / "demo.json"
    while True:
        if handle.exists():
            url = json.loads(handle.read_text())["base_url"]
            if httpx.get(f"{url}/health/live").status_code == 200:
                return
        time.sleep(0.05)


def _await_data(demo: "subprocess.Popen[str]") -> None:
    assert demo.stdout is not None
    for line in demo.stdout:
        if "DOES NOT HOLD" in line:
            print(line.strip())
        if "Read about it" in line:
            return


if __name__ == "__main__":
    main()
