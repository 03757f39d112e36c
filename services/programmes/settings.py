"""What the registry is told when it is built."""

from shared.settings import ServiceSettings


class ProgrammesSettings(ServiceSettings):
    """Settings of the service `programmes`; it needs nothing beyond what every service shares."""

    service: str = "programmes"
