"""Which addresses may be called: https, out in the public, and looked up anew for every call.

Whoever registers a webhook, or says where its keys are, chooses where we connect to. It must not be a way to reach what
only we can reach, so the name is resolved, every address it has must be public, and the call goes to just those: a name
that answers differently a moment later (DNS rebinding) gains nothing.
"""

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

Resolve = Callable[[str, int], Sequence[str]]
LONGEST = 2000
_PUBLIC_6 = IPv6Network("2000::/3")
_TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))
"""6to4 and Teredo: addresses in which another is hidden."""


class NotCallable(Exception):
    """An address that is not called, and why."""


class Target(NamedTuple):
    """Where something is: its URL, and the host and port to look up."""

    url: str
    host: str
    port: int


def target(url: str, *, sandbox: bool) -> Target:
    """The parts of a URL. Raises NotCallable for one that is not called; in a sandbox http is."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise NotCallable("this is not a URL") from error
    if parts.scheme != "https" and not (sandbox and parts.scheme == "http"):
        raise NotCallable("only https addresses are called")
    written = url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST
    if not host or not written or "@" in parts.netloc or parts.fragment:
        raise NotCallable("a URL that is called has a host, no user or password, no fragment, and only plain ASCII")
    return Target(url, host, port or (443 if parts.scheme == "https" else 80))


def callable_addresses(one: Target, *, resolve: Resolve, sandbox: bool) -> Sequence[str]:
    """The IP addresses to call. Raises NotCallable where there is none, or any that is not public.

    In a sandbox those of this machine may be called too.
    """
    try:
        found = list(dict.fromkeys(resolve(one.host, one.port)))
    except (OSError, UnicodeError) as error:
        raise NotCallable("the name of the host cannot be found") from error
    if not found:
        raise NotCallable("the name of the host cannot be found")
    if not all(is_public(address) or (sandbox and ip_address(address).is_loopback) for address in found):
        raise NotCallable("the host is not in the public: private, loopback and link-local addresses are not called")
    return found


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody on the internet could call."""
    try:
        one = ip_address(address)
    except ValueError:
        return False
    if not one.is_global or one.is_multicast or one.is_reserved:
        return False
    if isinstance(one, IPv4Address):
        return True
    return one in _PUBLIC_6 and not any(one in tunnel for tunnel in _TUNNELS)


def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as this machine resolves names. Raises OSError when there are none."""
    return [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
