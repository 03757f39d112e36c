"""What a process does about its memory."""

import subprocess
import sys


def test_what_is_there_when_a_process_begins_its_work_is_not_looked_at_again_by_the_collector() -> None:
    told = "import gc; from deploy.memory import settle; settle(); print(gc.get_freeze_count(), *gc.get_threshold())"

    ran = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)

    frozen, young, *_ = map(int, ran.stdout.split())
    assert frozen > 1000
    assert young > 700


def test_a_process_holds_no_library_that_only_others_need() -> None:
    told = "import sys, deploy.cli; print(*{'kafka', 'alembic', 'polars', 'matplotlib'} & set(sys.modules))"

    ran = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)

    assert ran.stdout.split() == []
