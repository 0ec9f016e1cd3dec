"""Nornir inventory plugin `PDSNOInventory`: the devices of a NIB, over a controller's REST API."""

import os

import requests
from nornir.core.inventory import Defaults, Group, Groups, Host, Hosts, Inventory, ParentGroups

from pdsno.domain.errors import InputError, OperationError, TransientError
from pdsno.http_session import own_session
from pdsno.integrations.inventory_names import Groups as GroupNames
from pdsno.integrations.inventory_names import facts_of, host_names, in_order
from pdsno.integrations.nib_rest import (
    CA_VARIABLE,
    MOST_BYTES,
    Access,
    Answer,
    BusyError,
    ListedDevice,
    NIBRestError,
    WrongAccessError,
    access_to,
    read_devices,
)
from pdsno.integrations.nornir_hosts import connection_options

_CHUNK = 1 << 16
_CONNECT_S = 5.0


class PDSNOInventory:
    """Hosts are devices; groups their region, type, platform and status.

    Options: `url` (or PDSNO_API), `token` or `token_file` (or PDSNO_API_TOKEN), `ca` (or PDSNO_CA),
    `timeout_s`, and the filters `region`, `device_type`, `platform` and `status` (`any` for all).
    How to log in is the operator's to say: `nr.inventory.defaults`, or of groups.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        token: str | None = None,
        token_file: str | None = None,
        ca: str | None = None,
        timeout_s: float = 60.0,
        status: str = "active",
        **filters: str,
    ) -> None:
        """Raise InputError for an option that cannot be."""
        unknown = sorted(filters.keys() - {"region", "device_type", "platform"})
        if unknown:
            raise InputError(f"PDSNOInventory has no option {unknown[0]!r}")
        try:
            self._access = access_to(
                url=url, token=token, token_file=token_file, ca=ca, environment=os.environ
            )
        except WrongAccessError as error:
            raise InputError(str(error)) from error
        self._timeout_s = timeout_s
        self._filters = {**filters, "status": status}

    def load(self) -> Inventory:
        """Read the devices.

        Raises InputError for a token or filter that the API refused, TransientError if it cannot
        be reached, OperationError for any other failure.
        """
        with own_session() as session:
            session.verify = self._access.ca or True
            session.headers.update(self._access.headers)
            try:
                devices = read_devices(
                    self._access, self._filters, lambda url: self._asked(session, url)
                )
            except WrongAccessError as error:
                raise InputError(str(error)) from error
            except BusyError as error:
                raise TransientError(str(error)) from error
            except NIBRestError as error:
                raise OperationError(str(error)) from error
        return _inventory(devices)

    def _asked(self, session: requests.Session, url: str) -> Answer:
        timeout = (_CONNECT_S, self._timeout_s)
        try:
            with session.get(url, timeout=timeout, allow_redirects=False, stream=True) as response:
                return Answer(response.status_code, self._body(response))
        except requests.RequestException as error:
            raise _no_answer(self._access, error) from error

    def _body(self, response: requests.Response) -> bytes:
        found = bytearray()
        for chunk in response.iter_content(_CHUNK):
            found += chunk
            if len(found) > MOST_BYTES:
                raise OperationError(f"{self._access.url} answers more than {MOST_BYTES >> 20} MiB")
        return bytes(found)


def _no_answer(access: Access, error: requests.RequestException) -> OperationError:
    if isinstance(error, requests.exceptions.SSLError):
        return OperationError(
            f"the certificate of {access.url} cannot be verified: name its CA by ca or "
            f"{CA_VARIABLE}"
        )
    why = "no answer in time" if isinstance(error, requests.Timeout) else type(error).__name__
    return TransientError(
        f"cannot reach the API at {access.url} ({why}): is the controller up, and the URL right?"
    )


def _inventory(devices: list[ListedDevice]) -> Inventory:
    ordered = in_order(devices)
    names = host_names(ordered)
    group_names = GroupNames(names.values())
    groups, hosts, defaults = Groups(), Hosts(), Defaults()
    for device in ordered:
        own = ParentGroups()
        for name in group_names.of(device):
            own.add(groups.setdefault(name, Group(name=name, defaults=defaults)))
        host = names[device.device_id]
        hosts[host] = Host(
            name=host,
            hostname=device.management_ip,
            platform=device.platform,
            groups=own,
            data=facts_of(device),
            connection_options=connection_options(device.platform),
            defaults=defaults,
        )
    return Inventory(hosts=hosts, groups=groups, defaults=defaults)
