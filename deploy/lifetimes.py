"""What is started and stopped: servers, and whole platforms of them."""

from abc import ABC, abstractmethod
from typing import Self


class CannotStart(RuntimeError):
    """Something cannot be started; the message says why, and what to do."""


class Lifetime(ABC):
    """Something that runs from `start()` to `stop()`, or for as long as a `with` block, which leaves nothing behind."""

    @abstractmethod
    def start(self) -> Self:
        """Start; returns when it can be used."""

    @abstractmethod
    def stop(self) -> None:
        """Stop what was started, be it all or part of it."""

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()
