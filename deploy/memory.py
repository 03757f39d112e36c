"""Memory that a burst of work took is given back to the machine, and threads do not each keep some for themselves."""

import ctypes
import gc
from contextlib import suppress

_ARENA_MAX, _MMAP_THRESHOLD = -8, -3  # M_ARENA_MAX and M_MMAP_THRESHOLD of glibc's malloc.h
_LARGE = 4 << 20  # bytes; from an eighth of a megabyte on, as glibc begins, a large file would cost a fifth more time
_YOUNG = 10_000  # objects between two looks of the collector; Python's own 700 is for programs of little memory


def share() -> None:
    """Let all threads allocate from one place, where what one frees serves the next; only where there is glibc.

    A service answers from forty threads, which take turns all the same: of the interpreter there is one. What is
    large is a place of its own, and goes back as soon as it is freed; left to itself glibc raises what it takes for
    large as it sees more of it.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        library.mallopt(_ARENA_MAX, 1)
        library.mallopt(_MMAP_THRESHOLD, _LARGE)


def settle() -> None:
    """Let the garbage collector leave alone what is there now, and look at the rest less often.

    To be called once all is loaded. A process of ours is born with some hundred thousand objects that never go away;
    looking through them again and again took as long as the work did, where the work made many objects.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)


def give_back() -> None:
    """Return what was freed; where the C library has no means to (it is not glibc), nothing happens."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
