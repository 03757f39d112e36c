"""THE TABLE of checks, and the ledger of which client has met which. A check is met by what a client really did."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

SUBMISSIONS = "/v1/submissions"


class Deed(NamedTuple):
    """One request of a client and how it was answered; `path` is that of THE TABLE of routes."""

    method: str
    path: str
    query: Mapping[str, str]
    compressed: bool
    status: int
    replayed: bool = False

    @property
    def sent(self) -> bool:
        """Whether it is a submission that was taken."""
        return (self.method, self.path) == ("POST", SUBMISSIONS) and self.status in (200, 201, 202)

    def read(self, path: str) -> bool:
        """Whether it is a good answer to a read of this address."""
        return (self.method, self.path, self.status) == ("GET", path, 200)


class Check(NamedTuple):
    """One thing that a client must have done; `met` tells it by one deed, where one deed tells."""

    name: str
    title: str
    met: Callable[[Deed], bool] | None = None


SIGNED, MENDED, WAITED = "signed-token", "row-mended", "wait-respected"
REJECTED = f"{SUBMISSIONS}/{{id}}/rejected"
CHECKS: Final = (
    Check(SIGNED, "Buys its token with a JWT signed by its own key (private_key_jwt)."),
    Check("dry-run", "Tries a file first: dry_run=true.", lambda one: one.sent and one.query.get("dry_run") == "true"),
    Check("compressed", "Sends compressed: Content-Encoding gzip or zstd.", lambda one: one.sent and one.compressed),
    Check("key-resent", "Sends again with the same Idempotency-Key.", lambda one: one.replayed),
    Check("receipt-read", "Reads a receipt again.", lambda one: one.read(f"{SUBMISSIONS}/{{id}}")),
    Check(MENDED, "Mends a rejected row: fetches /rejected and sends, or corrects it in the quarantine."),
    Check("nil-return", "Says that nothing happened.", lambda one: one.sent and one.query.get("nil") == "true"),
    Check("calendar-read", "Looks up what is due.", lambda one: one.read("/v1/calendar")),
    Check(WAITED, "Waits as long as Retry-After asks after a 429 (X-Scenario: busy gives one)."),
)  # fmt: skip


@dataclass
class Shown:
    """What one client has shown: when each check was met (seconds of the epoch), and what is still open."""

    met: dict[str, float] = field(default_factory=dict)
    mending: bool = False
    busy_until: float | None = None


class Ledger:
    """What every client has shown since the sandbox was started."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._shown: dict[str, Shown] = {}

    def of(self, client_id: str) -> Shown:
        """What this client has shown."""
        return self._shown.setdefault(client_id, Shown())

    def signed(self, client_id: str) -> None:
        """It bought a token with a signed JWT."""
        self.of(client_id).met[SIGNED] = self._clock()

    def told_to_wait(self, client_id: str, seconds: float) -> None:
        """It was told to come again later."""
        self.of(client_id).busy_until = self._clock() + seconds

    def came(self, client_id: str) -> None:
        """It asked for something: too soon, if it was told to wait, undoes what it had shown."""
        shown, now = self.of(client_id), self._clock()
        if shown.busy_until is None:
            return
        if now < shown.busy_until:
            shown.met.pop(WAITED, None)
        else:
            shown.met[WAITED], shown.busy_until = now, None

    def note(self, client_id: str, deed: Deed) -> None:
        """It did this."""
        shown, now = self.of(client_id), self._clock()
        shown.met |= {check.name: now for check in CHECKS if check.met is not None and check.met(deed)}
        corrected = (deed.method, deed.status) == ("PATCH", 200) and deed.path.startswith("/v1/quarantine/")
        if corrected or (shown.mending and deed.sent and "dry_run" not in deed.query):
            shown.met[MENDED], shown.mending = now, False
        shown.mending = shown.mending or deed.read(REJECTED)
