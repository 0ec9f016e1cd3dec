"""What Nornir's hosts need to be connected to by Netmiko, whichever inventory named them."""

from typing import Any

from nornir.core.inventory import ConnectionOptions

from pdsno.integrations.platform_names import NETMIKO_TYPES


def connection_options(platform: str | None, **extras: Any) -> dict[str, ConnectionOptions]:  # noqa: ANN401 - Netmiko's own options
    """Return how Netmiko connects: by its own type for a platform that it has no name for.

    `extras` are options of Netmiko's ConnectHandler.
    """
    netmiko_type = NETMIKO_TYPES.get(platform or "")
    if netmiko_type is None and not extras:
        return {}
    return {"netmiko": ConnectionOptions(platform=netmiko_type, extras=extras or None)}
