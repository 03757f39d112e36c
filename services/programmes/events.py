"""What the registry hears: nothing. It is where the others hear from."""

from shared.messaging.consumer import Handlers

HANDLERS: Handlers = {}
