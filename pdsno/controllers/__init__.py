"""Controllers: which capabilities and loops each tier runs. No rules here."""

from typing import TYPE_CHECKING

from pdsno.controllers.context_manager import ContextManager

if TYPE_CHECKING:
    from pdsno.controllers.global_controller import GlobalController
    from pdsno.controllers.local_controller import LocalController
    from pdsno.controllers.regional_controller import RegionalController

__all__ = ["ContextManager", "GlobalController", "LocalController", "RegionalController"]

_MODULES = {
    "GlobalController": "pdsno.controllers.global_controller",
    "LocalController": "pdsno.controllers.local_controller",
    "RegionalController": "pdsno.controllers.regional_controller",
}


def __getattr__(name: str) -> object:
    """Import a controller when it is asked for: a global one must not need a local one's scapy."""
    import importlib  # noqa: PLC0415 - only on this path

    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(_MODULES[name]), name)
