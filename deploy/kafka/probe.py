"""Ask a broker whom it is with: one Metadata request, written out by hand (the Kafka client belongs to `shared`)."""

import socket
import struct

METADATA, VERSION, CORRELATION, NO_CLIENT, ALL_TOPICS = 3, 0, 7, -1, 0
SECONDS = 1.0


def brokers_seen(port: int) -> int:
    """How many live brokers the one on this loopback port knows; 0 when it does not answer (yet)."""
    request = struct.pack(">hhihi", METADATA, VERSION, CORRELATION, NO_CLIENT, ALL_TOPICS)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            _size, correlation, brokers = struct.unpack(">iii", _read(connection, 12))
    except OSError:
        return 0
    return int(brokers) if correlation == CORRELATION else 0


def _read(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = connection.recv(size - len(received))
        if not part:
            raise ConnectionError("the broker closed the connection")
        received += part
    return received
