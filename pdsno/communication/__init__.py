"""Messages between controllers: REST, MQTT, the relay that loses nothing, and the broker.

This module stays light: importing it loads neither FastAPI nor an MQTT client.
"""

from pdsno.domain.messages import MessageType

__all__ = ["MessageType"]
