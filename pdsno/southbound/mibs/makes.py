"""Who made a device and what runs on it, as far as the system group tells."""

import csv
import functools
import re
from dataclasses import dataclass
from importlib import resources

from pdsno.domain.entities import DeviceType
from pdsno.southbound.mibs.carrier_rules import CARRIER
from pdsno.southbound.mibs.host_rules import HOSTS, SECURITY
from pdsno.southbound.mibs.network_rules import NETWORK
from pdsno.southbound.mibs.number_rules import BY_NUMBER
from pdsno.southbound.mibs.rules import GENERIC_SERIAL, GENERIC_VERSION, LEADING_VERSION, Rule
from pdsno.southbound.mibs.switch_rules import SWITCHES

_RULES = (*NETWORK, *SWITCHES, *CARRIER, *SECURITY, *HOSTS, *BY_NUMBER)
_ENTERPRISES = "1.3.6.1.4.1."
_LEADING_MODEL = re.compile(r"(?=\S*\d)(?=\S*[A-Z])(?![vV]?\d+\.\d)[A-Za-z0-9][A-Za-z0-9/+-]{3,}")
_SHARED = ("4413.", "1588.", "1991.", "20301.", "26543.")
"""Numbers under which several brands sell: a chip maker's reference software (FASTPATH), and
product lines that were sold on; there the name in sysDescr says whose this one is."""
_SHORTEST_BRAND = 4
_ALSO_CALLED = {
    "3com": "3Com",
    "alcatel": "Alcatel-Lucent",
    "edge core": "Edgecore",
    "extreme": "Extreme Networks",
    "foundry": "Foundry",
    "hewlett packard": "HPE",
    "hewlett-packard": "HPE",
    "ubnt": "Ubiquiti",
}
"""Names in front of which no enterprise number stands, as agents write them."""
_LONGEST_NAME = 24
_MODEL_WORD = re.compile(r"(?![vV]\d)(?=.*\d)(?=.*[A-Z])[A-Za-z0-9][\w/+-]{3,}")
_KINDS = (
    (re.compile(r"(?i)\bfirewall|\bngfw"), DeviceType.FIREWALL),
    (re.compile(r"(?i)\b(?:printer|laserjet|camera|ups)\b"), DeviceType.ENDPOINT),
    (re.compile(r"(?i)\brouter\b"), DeviceType.ROUTER),
    (re.compile(r"(?i)\bswitch\b"), DeviceType.SWITCH),
)
_BLANK = re.compile(
    r"(?i)(?:n/?a|none|null|unknown|unspecified|undefined|not[ -]?(?:specified|available|set|"
    r"applicable|present|defined|supported|programmed)|default string|0123456789|"
    r"(?:system|chassis|base ?board) serial(?: number)?|system product name|to be filled.*|"
    r"no serial.*|invalid|default|"
    r"[0.x_?*#-]+|empty|string|f{6,}|<.*>)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Make:
    """Who made a device and what runs on it.

    `hint` and `kernel` stand in for the model and the version if no MIB tells better ones;
    `guess` is a word that may be the model, if nothing else is.
    """

    vendor: str | None = None
    platform: str | None = None
    os_version: str | None = None
    model: str | None = None
    serial: str | None = None
    hint: str | None = None
    guess: str | None = None
    kernel: str | None = None
    kind: DeviceType | None = None


def make_of(descr: str, object_id: str) -> Make:
    """Return what sysDescr and sysObjectID say; either may be empty."""
    private = _private(object_id)
    for rule in _RULES:
        found = _cut_out(rule, descr, private)
        if found is not None:
            return Make(
                vendor=(vendor := rule.vendor or _maker(descr, object_id)),
                platform=rule.platform,
                os_version=_version(found),
                model=_model(found.get("model")),
                serial=real(found.get("serial")),
                hint=_model(found.get("hint")),
                guess=_guess(rule, found, descr, vendor),
                kernel=_kernel(rule, found, descr),
                kind=rule.kind,
            )
    vendor = _maker(descr, object_id)
    return Make(
        vendor=vendor,
        kernel=generic_version(descr),
        serial=generic_serial(descr),
        hint=_short_name(without_vendor(descr, vendor)),
        guess=leading_model(descr, vendor),
    )


def _guess(rule: Rule, found: dict[str, str], descr: str, vendor: str | None) -> str | None:
    if rule.platform == "linux":
        return None
    short = _short_name(without_vendor(descr, vendor))
    return _model(found.get("guess")) or leading_model(descr, vendor) or short


def _kernel(rule: Rule, found: dict[str, str], descr: str) -> str | None:
    """Return what stands in for the version; an appliance's Linux kernel does not."""
    is_appliance = rule.platform != "linux" and descr.startswith("Linux ")
    return found.get("kernel") or (None if is_appliance else generic_version(descr))


def _maker(descr: str, object_id: str) -> str | None:
    if _private(object_id + ".").startswith(_SHARED) and (named := _brand_in(descr)):
        return named
    return vendor_of(object_id) or _brand_in(descr)


def vendor_of(object_id: str) -> str | None:
    """Return the company behind an OID's enterprise number, by the name people know."""
    return _vendors().get(_private(object_id).partition(".")[0])


def brand(name: str | None) -> str | None:
    """Return a maker's name as we write it elsewhere: agents shout, or add their legal form."""
    name = real(name)
    if name is None:
        return None
    words = name.casefold().replace(",", " ").split()
    for count in range(len(words), 0, -1):
        if found := _brands().get(" ".join(words[:count])):
            return found
    return name


def _brand_in(descr: str) -> str | None:
    """Return the maker that free text begins with."""
    head = re.split(r"[^\w]+", descr.strip(), maxsplit=2)[:2]
    for words in (" ".join(head), head[0]):
        if len(words) >= _SHORTEST_BRAND and (found := _brands().get(words.casefold())):
            return found
    return None


def without_vendor(text: str, vendor: str | None) -> str:
    """Return text without the maker's name in front: `Allied Telesis AT-8000S` is an AT-8000S."""
    rest = text[len(vendor) :] if vendor and text.casefold().startswith(vendor.casefold()) else ""
    return rest.strip() if rest.startswith(" ") else text


def leading_model(descr: str, vendor: str | None) -> str | None:
    """Return the first word of free text if it looks like a model: `MES2324F AC 28-port switch`."""
    words = without_vendor(descr.strip(), vendor).split(maxsplit=2)
    is_company = len(words) > 1 and words[1].startswith("Network")
    found = _LEADING_MODEL.fullmatch(words[0].rstrip(",;:")) if words and not is_company else None
    return found[0] if found else None


def _short_name(descr: str) -> str | None:
    """Return a sysDescr that is a product's name and nothing else: `Optimizer 2400-SPAN`."""
    words = descr.split()
    is_name = len(descr) <= _LONGEST_NAME and any(_MODEL_WORD.fullmatch(w) for w in words)
    return descr if is_name else None


def kind_in(descr: str) -> DeviceType | None:
    """Return what free text calls the device: a firewall, a switch, a router."""
    return next((kind for pattern, kind in _KINDS if pattern.search(descr)), None)


def real(value: str | None) -> str | None:
    """Return the value unless it is one of the words that mean "nothing"."""
    # U+FFFD: octets that are no text, with which agents fill up a field
    value = value.strip(" \"'\ufffd") if value else None
    return None if not value or _BLANK.fullmatch(value) else value


def generic_version(text: str) -> str | None:
    """Return what looks most like a version in free text."""
    for pattern in GENERIC_VERSION:
        if found := pattern.search(text):
            return found["version"].rstrip(".:)")
    return None


def phrased_version(text: str) -> str:
    """Return the version in the value of a version's own object: at its head, or in a phrase."""
    if " " not in text and "," not in text:
        return text
    if head := LEADING_VERSION.match(text):
        return head["version"]
    return generic_version(text) or text


def generic_serial(text: str) -> str | None:
    """Return what free text calls a serial number."""
    found = GENERIC_SERIAL.search(text)
    return real(found["serial"]) if found else None


def _private(object_id: str) -> str:
    return object_id.removeprefix(_ENTERPRISES) if object_id.startswith(_ENTERPRISES) else ""


def _cut_out(rule: Rule, descr: str, private: str) -> dict[str, str] | None:
    """Return the rule's groups if it fits; the first pattern that has a group gives it."""
    if rule.oids and not f"{private}.".startswith(rule.oids):
        return None
    found: dict[str, str] = {}
    if rule.descr is not None:
        match = rule.descr.search(descr)
        if match is None:
            return None
        found = {key: text for key, text in match.groupdict().items() if text}
    for pattern in rule.more:
        if match := pattern.search(descr):
            for key, text in match.groupdict().items():
                if text:
                    found.setdefault(key, text)
    return found


def _version(found: dict[str, str]) -> str | None:
    version, release = found.get("version"), found.get("release")
    return f"{version} ({release})" if version and release else version


def _model(text: str | None) -> str | None:
    """Return a model as its maker writes it: names without any capital are a kernel's habit."""
    text = real(text)
    return text.upper() if text and text.islower() and " " not in text else text


@functools.cache
def _brands() -> dict[str, str]:
    own = {vendor.casefold(): vendor for vendor in _vendors().values()}
    return {**_ALSO_CALLED, **{name.replace("-", " "): own[name] for name in own}, **own}


@functools.cache
def _vendors() -> dict[str, str]:
    table = resources.files("pdsno.southbound.mibs").joinpath("enterprises.csv")
    lines = (line for line in table.read_text("utf-8").splitlines() if not line.startswith("#"))
    return {row["number"]: row["vendor"] for row in csv.DictReader(lines)}
