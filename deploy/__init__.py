"""Everything that runs the pieces: settings, databases, migrations, topics, Kafka, the whole platform, `psip`."""

import os

from deploy.memory import share

# Polars' allocator keeps what it freed for ten seconds and more, apart for each thread that asked for it: a large file
# would hold twice the memory it needs. Read once, when polars is first imported.
os.environ.setdefault("_RJEM_MALLOC_CONF", "background_thread:true,narenas:1,dirty_decay_ms:200,muzzy_decay_ms:0")
share()
