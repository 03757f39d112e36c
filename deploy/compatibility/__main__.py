"""`python -m deploy.compatibility`: compare the contracts with those of the last release."""

import sys
from datetime import UTC, datetime

from deploy import contracts, openapi
from deploy.compatibility.released import FOLDER, newest, read, report, unkept


def main() -> int:
    """The exit status: 1 when a promise is broken."""
    last = newest(FOLDER)
    today = datetime.now(UTC).date().isoformat()
    found = unkept(FOLDER, http=read(openapi.FILE), events=read(contracts.FILE), today=today)
    told = "nothing has been released" if last is None else f"the promises of {last.name} are kept"
    sys.stdout.write(f"{report(found, last.name) if found and last else told}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
