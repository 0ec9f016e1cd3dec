"""What vendors tell in MIBs of their own, and hosts in the standard ones: what is asked, and read.

The tables of who keeps what where are in `vendor_network` and `vendor_hosts`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pdsno.southbound.mibs.makes import phrased_version, real, vendor_of
from pdsno.southbound.mibs.varbinds import Value, Varbinds, column, text
from pdsno.southbound.mibs.vendor_hosts import HOSTS, NET_SNMP
from pdsno.southbound.mibs.vendor_network import NETWORK

_QUESTIONS = (*NETWORK, *HOSTS)
_ENTERPRISES = "1.3.6.1.4.1."
_SHORTEST = 3

# Standards that any vendor may implement: UPS-MIB (RFC 1628), Printer-MIB (RFC 3805),
# HOST-RESOURCES-MIB (RFC 2790), RMON2 probeConfig (RFC 4502), IEEE802dot11.
UPS_VENDOR, UPS_MODEL = "1.3.6.1.2.1.33.1.1.1.0", "1.3.6.1.2.1.33.1.1.2.0"
UPS_SOFTWARE, UPS_AGENT = "1.3.6.1.2.1.33.1.1.3.0", "1.3.6.1.2.1.33.1.1.4.0"
PRINTER_SERIAL, DEVICE_DESCR = "1.3.6.1.2.1.43.5.1.1.17.1", "1.3.6.1.2.1.25.3.2.1.3.1"
DEVICE_TYPE, _PRINTER_TYPE = "1.3.6.1.2.1.25.3.2.1.2.1", "1.3.6.1.2.1.25.3.1.5"
PROBE_SOFTWARE = "1.3.6.1.2.1.16.19.2.0"
STANDARD = (
    UPS_VENDOR,
    UPS_MODEL,
    UPS_SOFTWARE,
    UPS_AGENT,
    PRINTER_SERIAL,
    DEVICE_DESCR,
    DEVICE_TYPE,
    PROBE_SOFTWARE,
)
_RADIO = "1.2.840.10036.3.1.2.1."
RADIO_MODEL, RADIO_VERSION = f"{_RADIO}3", f"{_RADIO}4"
_RADIO_MAKERS = ("41112.", "10002.")
_RADIO_FIRMWARE = re.compile(r"(?:^|\.)v?(?P<version>\d+\.\d+\.\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorFacts:
    """What a vendor's own MIB told."""

    vendor: str | None = None
    model: str | None = None
    serial: str | None = None
    version: str | None = None
    spare_version: str | None = None
    is_ups: bool = False
    is_printer: bool = False


def scalars_of(object_id: str) -> tuple[str, ...]:
    """Return the OIDs to GET from a device with this sysObjectID; the standard ones included."""
    return (*STANDARD, *(oid for _, oid in _asked(object_id) if not oid.endswith("*")))


def columns_of(object_id: str) -> tuple[str, ...]:
    """Return the columns to walk on a device with this sysObjectID."""
    own = tuple(oid.removesuffix(".*") for _, oid in _asked(object_id) if oid.endswith("*"))
    is_radio = object_id.removeprefix(_ENTERPRISES).startswith(_RADIO_MAKERS)
    return (*own, RADIO_MODEL, RADIO_VERSION) if is_radio else own


def parse_vendor(object_id: str, varbinds: Varbinds) -> VendorFacts:
    """Return what the vendor's MIB and the standard ones for hosts tell."""
    told: dict[str, str] = {}
    for name, value in _told(object_id, varbinds):
        told.setdefault(name, value)
    is_generic = object_id.startswith(_ENTERPRISES + NET_SNMP)
    owners = (oid for _, oid in _asked(object_id) if real(text(varbinds.get(oid))))
    printer_serial = real(text(varbinds.get(PRINTER_SERIAL)))
    is_printer = printer_serial is not None or varbinds.get(DEVICE_TYPE) == _PRINTER_TYPE
    ups_model = real(text(varbinds.get(UPS_MODEL)))
    device = real(text(varbinds.get(DEVICE_DESCR))) if is_printer else None
    ups_version = text(varbinds.get(UPS_AGENT)) or text(varbinds.get(UPS_SOFTWARE))
    return VendorFacts(
        vendor=real(text(varbinds.get(UPS_VENDOR)))
        or (vendor_of(next(owners, "")) if is_generic else None),
        model=told.get("model") or ups_model or device,
        serial=told.get("serial") or printer_serial,
        version=told.get("version"),
        spare_version=real(ups_version) or real(text(varbinds.get(PROBE_SOFTWARE))),
        is_ups=ups_model is not None,
        is_printer=is_printer,
    )


def _asked(object_id: str) -> Iterator[tuple[str, str]]:
    private = object_id.removeprefix(_ENTERPRISES)
    for prefix, name, oid in _QUESTIONS:
        if f"{private}.".startswith(f"{prefix}."):
            yield name, _ENTERPRISES + _absolute(oid, private)


def _absolute(oid: str, private: str) -> str:
    """Return an OID of the tables with `@` and `@@` filled in."""
    if oid.startswith("@@"):
        return private.rpartition(".")[0] + oid[2:]
    return private + oid[1:] if oid.startswith("@") else oid


def _told(object_id: str, varbinds: Varbinds) -> Iterator[tuple[str, str]]:
    for name, oid in _asked(object_id):
        if not oid.endswith("*"):
            yield from _interpreted(name, _said(name, varbinds.get(oid)))
            continue
        for _, value in column(varbinds, oid.removesuffix(".*")):
            yield from _interpreted(name, _said(name, value))
    for name, oid in (("model", RADIO_MODEL), ("radio", RADIO_VERSION)):
        for _, value in column(varbinds, oid):
            yield from _interpreted(name, real(text(value)))


def _said(name: str, value: Value) -> str | None:
    """Return what an object says; a serial may be a number."""
    if name == "serial" and isinstance(value, int):
        value = str(value)
    return real(text(value))


def _interpreted(name: str, value: str | None) -> Iterator[tuple[str, str]]:
    """Read the objects that are more than the value: lists, sentences, versions in a phrase."""
    if value is None or len(value) < _SHORTEST:
        return
    if name not in _READERS:
        yield name, value
        return
    field, read = _READERS[name]
    if found := read(value):
        yield field, found


def _image(value: str) -> str | None:
    """Return the version of `CW_VERSION$12.2(55)SE3$`, one of many such strings."""
    key, _, rest = value.partition("$")
    return rest.rstrip("$") if key == "CW_VERSION" else None


def _product(value: str) -> str | None:
    """Return the model of `Juniper MX960 Internet Backbone Router`."""
    return next((word for word in value.split() if any(c.isdigit() for c in word)), None)


def _radio(value: str) -> str:
    """Return the version of `XM.ar7240.v5.6.2.27929.150716.1201`."""
    firmware = _RADIO_FIRMWARE.search(value)
    return firmware["version"] if firmware else value


_READERS: Mapping[str, tuple[str, Callable[[str], str | None]]] = {
    "image": ("version", _image),  # ciscoImageString
    "descr": ("model", _product),  # jnxBoxDescr
    "first": ("model", lambda value: value.split()[0]),  # `RAX711-C-DC version A.02`
    "radio": ("version", _radio),  # dot11manufacturerProductVersion
    "version": ("version", phrased_version),  # `ROS-CF52 Main v4.3.3`
}
