"""Logs, metrics and traces: JSON lines, Prometheus counters, and W3C trace context carried from door to door."""

import logging
import re
import secrets
import sys
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Self

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from structlog.tracebacks import ExceptionDictTransformer

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_SAFE_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


@dataclass(frozen=True, slots=True)
class Trail:
    """Where a piece of work came from: the ids that tie requests, events and log lines together."""

    request_id: str
    correlation_id: str
    traceparent: str

    @classmethod
    def begin(
        cls, request_id: str | None = None, correlation_id: str | None = None, traceparent: str | None = None
    ) -> Self:
        """Continue the trail these ids describe; whatever is absent or malformed is made anew."""
        request = request_id if request_id and _SAFE_ID.fullmatch(request_id) else secrets.token_hex(16)
        correlation = correlation_id if correlation_id and _SAFE_ID.fullmatch(correlation_id) else request
        return cls(request, correlation, _span_after(traceparent))

    def span(self) -> Self:
        """The same trail, one step further: a new span in the same trace."""
        return replace(self, traceparent=_span_after(self.traceparent))


def _span_after(traceparent: str | None) -> str:
    found = _TRACEPARENT.fullmatch(traceparent or "")
    trace, flags = (found[1], found[3]) if found else (secrets.token_hex(16), "01")
    return f"00-{trace}-{secrets.token_hex(8)}-{flags}"


_trail: ContextVar[Trail | None] = ContextVar("trail", default=None)


def trail() -> Trail | None:
    """The trail of the work under way in this task or thread, if any."""
    return _trail.get()


def follow(one: Trail | None) -> None:
    """Make this the trail of the work that comes next in this task or thread, and of its log lines."""
    _trail.set(one)
    structlog.contextvars.clear_contextvars()
    if one is not None:
        structlog.contextvars.bind_contextvars(
            request_id=one.request_id, correlation_id=one.correlation_id, traceparent=one.traceparent
        )


def said(error: BaseException) -> str:
    """The kind of an error and the first line of its message; databases put the values at fault in the next ones."""
    return f"{type(error).__name__}: {error}".partition("\n")[0][:500]


def _first_lines(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for one in event.get("exception", ()):
        one["exc_value"] = one["exc_value"].partition("\n")[0]
    return event


_SAID: tuple[structlog.typing.Processor, ...] = (
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    # Without local variables: those hold what callers sent.
    structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
    _first_lines,
)


def configure_logging(level: str = "INFO") -> None:
    """JSON lines on standard error, libraries' warnings among them; called once per process, by `deploy`."""
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *_SAID, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    libraries = logging.StreamHandler(sys.stderr)
    libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_SAID],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level="WARNING", handlers=[libraries])


class Metrics:
    """The figures one service keeps of itself, in a registry of its own: several services can share a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "psip_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "psip_http_request_seconds", "Seconds from request to answer.", ["route"], registry=self.registry
        )

    def count(self, name: str, read: Callable[[], int | None]) -> None:
        """Show a count of messages as a gauge, read whenever the metrics are; NaN while it is not known."""
        gauge = Gauge(f"psip_{name}_messages", f"Messages: {name}.", registry=self.registry)
        gauge.set_function(lambda: float("nan") if (found := read()) is None else found)
