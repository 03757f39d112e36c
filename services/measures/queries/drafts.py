"""The one question that measures asks another service: what does a draft say? Only a preview asks it."""

from typing import Any

import httpx
import structlog

from services.measures.problems import NoDraft
from services.measures.settings import MeasuresSettings
from shared.principal import HEADER
from shared.problems import Unavailable

SECONDS = 10.0
log = structlog.get_logger()


class Drafts:
    """Asks the registry, at the address that the settings name."""

    def __init__(self, settings: MeasuresSettings) -> None:
        url = settings.programmes_url
        self._client = httpx.Client(base_url=url, timeout=SECONDS) if url else None

    def of(self, measure: str, principal: str) -> dict[str, Any]:
        """The draft of a measure, as the caller whose signed principal this is may see it.

        Raises NoDraft where there is none for them, and Unavailable while the registry cannot be asked.
        """
        if self._client is None:
            raise NoDraft("send the draft: this installation does not say where the registry is")
        try:
            answer = self._client.get(f"/v1/measures/{measure}/draft", headers={HEADER: principal})
            if answer.is_client_error:
                raise NoDraft(f"no draft of {measure!r} is being worked on: send one, or POST /v1/measures")
            answer.raise_for_status()
        except httpx.HTTPError as error:
            log.warning("the registry was not reached", why=type(error).__name__)
            why = "the registry cannot be reached just now: try again, or send the draft"
            raise Unavailable(why, headers={"Retry-After": "2"}) from error
        draft: dict[str, Any] = answer.json()
        return draft

    def close(self) -> None:
        """Close its connections."""
        if self._client is not None:
            self._client.close()
