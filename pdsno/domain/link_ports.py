"""Which of a device's ports a neighbour means: by name, abbreviation, MAC or description."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from pdsno.domain.entities import Device, Interface
from pdsno.domain.errors import InputError
from pdsno.domain.identifiers import is_software_interface, normalise_mac
from pdsno.domain.interface_names import parent_interface, spellings


@lru_cache(maxsize=65_536)
def mac_or_text(told: str) -> str:
    """Return a normalised MAC where it is one, else the text without blanks around it."""
    text = told.strip()
    try:
        return normalise_mac(text)
    except InputError:
        return text


class Ports:
    """The ports of one device. What is looked up in is made when it is first needed."""

    def __init__(self, device: Device) -> None:
        self._interfaces = device.interfaces
        self._names = {interface.name for interface in device.interfaces}
        self._in_lower_case: Mapping[str, str | None] | None = None
        self._spelled: Mapping[str, str | None] | None = None
        self._by_mac: Mapping[str, str | None] | None = None
        self._described: Mapping[str, str | None] | None = None

    def named(self, told: str | None) -> tuple[str | None, bool]:
        """Return the port that is told, and whether it is one of the device's own.

        A sub-interface stands for its port. What names no port, or several, is returned as told.
        """
        text = (told or "").strip()
        if not text:
            return None, False
        found = text if text in self._names else self._looked_up(text)
        return (text, False) if found is None else (self._port_of(found), True)

    def _port_of(self, name: str) -> str:
        parent = parent_interface(name)
        return parent if parent is not None and parent in self._names else name

    def _looked_up(self, text: str) -> str | None:
        if not self._names:
            return None
        return self._by_spelling(text) or self._by_hardware(text) or self._by_description(text)

    def _by_spelling(self, text: str) -> str | None:
        if self._in_lower_case is None:
            self._in_lower_case = _unique((name.lower(), name) for name in self._names)
        names = _all_of(self._in_lower_case, spellings(text))
        if not names:
            # Long names are the rule; only a table with short ones has to be spelled out.
            if self._spelled is None:
                self._spelled = _unique(
                    (spelling, name) for name in self._names for spelling in spellings(name)
                )
            names = _all_of(self._spelled, spellings(text))
        if names:
            return names.pop() if len(names) == 1 else None
        parent = parent_interface(text)
        return self._by_spelling(parent) if parent else None

    def _by_hardware(self, text: str) -> str | None:
        if self._by_mac is None:
            self._by_mac = _unique(
                (i.mac, i.name) for i in self._interfaces if i.mac and self._is_port(i)
            )
        return self._by_mac.get(mac_or_text(text))

    def _is_port(self, interface: Interface) -> bool:
        """Tell whether it is hardware of its own: bridges and VLANs borrow a port's MAC."""
        return self._port_of(interface.name) == interface.name and not is_software_interface(
            interface.name
        )

    def _by_description(self, text: str) -> str | None:
        if self._described is None:
            self._described = _unique(
                (i.description.strip(), i.name) for i in self._interfaces if i.description
            )
        return self._described.get(text)


def _all_of(index: Mapping[str, str | None], keys: Iterable[str]) -> set[str | None]:
    return {index[key] for key in keys if key in index}


def _unique(pairs: Iterable[tuple[str, str]]) -> Mapping[str, str | None]:
    """Return who is told by each key; None where several are."""
    found: dict[str, str | None] = {}
    for key, name in pairs:
        found[key] = name if found.get(key, name) == name else None
    return found
