"""Everything that runs the pieces: settings, databases, migrations, topics, Kafka, the whole platform, `psip`."""

import os

# Polars' allocator keeps what it freed for ten seconds and more; read once, when polars is first imported.
os.environ.setdefault("_RJEM_MALLOC_CONF", "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0")
