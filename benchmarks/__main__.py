"""Every benchmark, one after another; what they print goes to `benchmarks/results.md` too.

`python -m benchmarks [name ...]` runs only those named, and leaves what the others printed there as it was. Figures are
ratios against a limit measured in the same run: the machine they come from is no part of them.
"""

import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = (
    "spc_engine",
    "statistics_over_http",
    "ingest_rules",
    "figures",
    "one_million_births",
    "small_returns",
    "measures_reads",
    "recomputation",
    "growth",
    "registry",
    "gateway",
    "stream",
    "demonstration",
    "failures",
    "fuzz_ingest",
)
RESULTS = Path(__file__).parent / "results.md"


def main(chosen: list[str]) -> int:
    """Run them; the exit status is that of the worst."""
    unknown = set(chosen) - set(BENCHMARKS)
    if unknown:
        print(f"no benchmark is called {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
        return 2
    sections, worst = _sections(), 0
    for name in chosen or BENCHMARKS:
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], capture_output=True, text=True, check=False)
        print(done.stdout, done.stderr if done.returncode else "", flush=True)
        worst = max(worst, abs(done.returncode))
        sections[name] = done.stdout.strip()
    told = (f"## {name}\n\n```\n{sections[name]}\n```\n" for name in BENCHMARKS if name in sections)
    RESULTS.write_text("\n".join(["# Results\n\nWritten by `make bench`.\n", *told]))
    return worst


def _sections() -> dict[str, str]:
    """What each benchmark printed when it last ran."""
    text = RESULTS.read_text() if RESULTS.exists() else ""
    return dict(re.findall(r"^## (\w+)\n\n```\n(.*?)\n```$", text, flags=re.MULTILINE | re.DOTALL))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
