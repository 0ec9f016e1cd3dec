"""SNMPv3 contexts, over pysnmp: gufo-snmp sends every request in the default one.

Only for Cisco's forwarding tables per VLAN (context `vlan-N`), hence imported when first needed.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from gufo.snmp.policer import BasePolicer

from pdsno.southbound.credentials import SnmpV3Credential
from pdsno.southbound.mibs.varbinds import Value, Varbinds
from pdsno.southbound.snmp_session import (
    SnmpAuthenticationError,
    SnmpEndlessError,
    SnmpOptions,
    SnmpProtocolError,
    SnmpTimeoutError,
)

# Names in pysnmp's module of protocols
_AUTH: Mapping[str, str] = {
    "MD5": "USM_AUTH_HMAC96_MD5",
    "SHA": "USM_AUTH_HMAC96_SHA",
    "SHA224": "USM_AUTH_HMAC128_SHA224",
    "SHA256": "USM_AUTH_HMAC192_SHA256",
    "SHA384": "USM_AUTH_HMAC256_SHA384",
    "SHA512": "USM_AUTH_HMAC384_SHA512",
}
_PRIV: Mapping[str, str] = {
    "DES": "USM_PRIV_CBC56_DES",
    "AES": "USM_PRIV_CFB128_AES",
    "AES192": "USM_PRIV_CFB192_AES",
    "AES256": "USM_PRIV_CFB256_AES",
}


class ContextSession:
    """Walks in one context of one agent. Not for use by two tasks at a time."""

    def __init__(self, ask: "_Ask", options: SnmpOptions, pace: BasePolicer) -> None:
        self._ask = ask
        self._options = options
        self._pace = pace

    async def walk(self, root: str) -> Varbinds:
        """Return everything beneath `root`.

        Raises SnmpTimeoutError, SnmpAuthenticationError, SnmpProtocolError and, for a walk that
        comes to no end, SnmpEndlessError.
        """
        rows: dict[str, Value] = {}
        last = root
        while True:
            await self._pace.wait()
            answer = await self._ask(last, self._options.max_repetitions)
            beneath = [row for row in answer if row[0].startswith(f"{root}.")]
            for oid, value in beneath:
                if oid in rows:
                    raise SnmpEndlessError(f"the walk of {root} goes in circles", rows)
                rows[oid] = value
            if len(beneath) < len(answer) or not answer:
                return rows
            if len(rows) >= self._options.max_rows:
                raise SnmpEndlessError(f"{root} cut after {len(rows)} rows", rows)
            last = answer[-1][0]


class _Ask:
    """One GETBULK in a context, its answer in our terms."""

    def __init__(self, engine: Any, user: Any, target: Any, context: Any) -> None:  # noqa: ANN401 - pysnmp is untyped
        self._fixed = (engine, user, target, context)

    async def __call__(self, oid: str, most: int) -> list[tuple[str, Value]]:
        from pysnmp.hlapi.v3arch import (  # type: ignore[import-untyped]  # noqa: PLC0415 - see above
            asyncio as hlapi,
        )

        asked = hlapi.ObjectType(hlapi.ObjectIdentity(oid))
        failure, status, _, varbinds = await hlapi.bulk_cmd(
            *self._fixed, 0, most, asked, lookupMib=False
        )
        if failure is not None:
            raise _error(failure)
        if status:
            raise SnmpProtocolError(f"the agent answers {status.prettyPrint()}")
        return [(str(name), _value(value)) for name, value in varbinds if _is_told(value)]


@asynccontextmanager
async def open_context(
    address: str,
    credential: SnmpV3Credential,
    context: str,
    options: SnmpOptions,
    pace: BasePolicer,
) -> AsyncIterator[ContextSession]:
    """Open a session in a context by its name."""
    from pysnmp.hlapi.v3arch import asyncio as hlapi  # noqa: PLC0415 - see above

    engine = hlapi.SnmpEngine()
    make = hlapi.Udp6TransportTarget if ":" in address else hlapi.UdpTransportTarget
    try:
        target = await make.create(
            (address, credential.port), timeout=options.timeout_s, retries=options.tries - 1
        )
        user = hlapi.UsmUserData(
            credential.user,
            credential.auth_password,
            credential.priv_password if credential.auth_password else None,
            authProtocol=_protocol(hlapi, _AUTH, credential.auth_protocol, "USM_AUTH_NONE"),
            privProtocol=_protocol(hlapi, _PRIV, credential.priv_protocol, "USM_PRIV_NONE"),
        )
        ask = _Ask(engine, user, target, hlapi.ContextData(contextName=context.encode()))
        yield ContextSession(ask, options, pace)
    finally:
        engine.close_dispatcher()


def _protocol(hlapi: Any, names: Mapping[str, str], name: str | None, none: str) -> Any:  # noqa: ANN401
    return getattr(hlapi, names[name] if name else none)


def _error(failure: object) -> Exception:
    text = str(failure)
    if "timeout" in text.casefold() or "No SNMP response" in text:
        return SnmpTimeoutError("no answer")
    return SnmpAuthenticationError(text)


def _is_told(value: object) -> bool:
    return type(value).__name__ not in ("EndOfMibView", "NoSuchObject", "NoSuchInstance", "Null")


def _value(value: Any) -> Value:  # noqa: ANN401 - pyasn1 is untyped
    """Return numbers as int, octet strings as bytes, OIDs and addresses as text."""
    kind = type(value).__name__
    if kind in ("OctetString", "Opaque", "Bits"):
        return bytes(value.asOctets())
    if kind in ("ObjectIdentifier", "IpAddress"):
        return str(value.prettyPrint())
    return int(value)
