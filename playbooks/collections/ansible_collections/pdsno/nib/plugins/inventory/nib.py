"""Ansible inventory of what PDSNO has found; needs nothing of PDSNO on this machine."""

from __future__ import annotations

DOCUMENTATION = r"""
name: nib
short_description: Hosts out of a PDSNO controller's Network Information Base
version_added: 0.1.0
author: The PDSNO authors
description:
  - Asks a controller's REST API for its devices, page by page, and makes each one a host.
  - Groups are the region (C(region_zone_a)), the type (C(type_router)), the platform
    (C(platform_cisco_ios)) and the status (C(status_active)) of a device.
  - A host has C(ansible_host), its management address; for a platform that Ansible knows
    C(ansible_network_os) and C(ansible_connection); and what is known of it as C(pdsno_...),
    such as C(pdsno_serial), C(pdsno_model) and C(pdsno_device_id).
  - Users and passwords are not in a NIB. Put them into C(group_vars).
  - An API that cannot be reached, a refused token and a filter that lets nothing through are
    errors. For C(ansible-inventory) and C(ansible-playbook) to stop at them, C(ansible.cfg) must
    set C(any_unparsed_is_failed) in its section C([inventory]).
notes:
  - The file's name must end in C(pdsno.yml) or C(pdsno.yaml); files that it names may be relative
    to it.
  - What devices tell is never run as a template.
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: Must be V(pdsno.nib.nib).
    type: str
    required: true
    choices: [pdsno.nib.nib]
  url:
    description: The controller's API, such as V(https://192.0.2.10:8080).
    type: str
    default: http://127.0.0.1:8080
    env:
      - name: PDSNO_API
  token:
    description:
      - API token of an operator with the role C(viewer), as C(pdsno api-token create) prints it.
      - Never write it into the inventory file, unless C(ansible-vault) sealed it.
    type: str
    env:
      - name: PDSNO_API_TOKEN
  token_file:
    description: File that holds the token, mode 0600; counts before O(token).
    type: path
  ca:
    description: CA of the API's certificate, in PEM; without it, the CAs of this machine.
    type: path
    env:
      - name: PDSNO_CA
  timeout:
    description: Seconds to wait for each page.
    type: int
    default: 60
  region:
    description: Only devices of this region.
    type: str
  device_type:
    description: Only devices of this type.
    type: str
    choices: [router, switch, firewall, server, endpoint, unknown]
  platform:
    description: Only devices of this platform, such as V(cisco_ios).
    type: str
  status:
    description: Only devices in this state; V(any) for all.
    type: str
    default: active
    choices: [active, inactive, unreachable, quarantined, degraded, any]
"""

EXAMPLES = r"""
---
# pdsno.yml: all active devices; the token is in PDSNO_API_TOKEN
plugin: pdsno.nib.nib
url: https://192.0.2.10:8080
ca: /etc/pdsno/roots.pem

---
# routers of one region, also those that are away, in groups by vendor as well
plugin: pdsno.nib.nib
url: https://192.0.2.10:8080
token_file: /etc/pdsno/inventory.token
region: zone-A
device_type: router
status: any
compose:
  site: pdsno_region | lower
groups:
  away: pdsno_status != 'active'
keyed_groups:
  - key: pdsno_vendor | default('unknown')
    prefix: vendor
strict: true

---
# asked once an hour at most
plugin: pdsno.nib.nib
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/pdsno
cache_timeout: 3600
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

from ansible.errors import AnsibleParserError
from ansible.module_utils.urls import ConnectionError as AnsibleConnectionError
from ansible.module_utils.urls import open_url
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.path import unfrackpath
from ansible_collections.pdsno.nib.plugins.module_utils.ansible_variables import variables_of
from ansible_collections.pdsno.nib.plugins.module_utils.inventory_names import (
    Groups,
    host_names,
    in_order,
)
from ansible_collections.pdsno.nib.plugins.module_utils.nib_rest import (
    CA_VARIABLE,
    FILTERS,
    MOST_BYTES,
    Access,
    Answer,
    Get,
    ListedDevice,
    NIBRestError,
    access_to,
    read_devices,
)

try:
    from ansible.utils.unsafe_proxy import wrap_var
except ImportError:  # where it is gone, only what is marked as trusted is a template

    def wrap_var(value: Any) -> Any:
        """Return a value as it is."""
        return value


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc]
    """What `-i pdsno.yml` loads."""

    NAME = "pdsno.nib.nib"

    def verify_file(self, path: str) -> bool:
        """Tell whether a file is one of ours, by its name."""
        return super().verify_file(path) and path.endswith(("pdsno.yml", "pdsno.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Add hosts and groups. Raises AnsibleParserError, saying why in a line."""
        super().parse(inventory, loader, path, cache)
        given = self._read_config_data(path)
        # A filter that is spelt wrongly would let the whole network through.
        for key in given:
            if key not in self._options:
                raise AnsibleParserError(
                    f"{path}: the inventory pdsno.nib.nib has no option {key!r}"
                )
        try:
            devices = self._devices(path, self._access(path, given), cache=cache)
        except NIBRestError as error:
            # Ansible shows a cause's text behind this one, which says it all.
            raise AnsibleParserError(f"{path}: {error}") from None
        self._add(devices)

    def _devices(self, path: str, access: Access, *, cache: bool) -> list[ListedDevice]:
        """Return the devices: from the cache if it may be asked, and has the same question's."""
        is_cached = self.get_option("cache")
        key = self.get_cache_key(path)
        filters = {name: self.get_option(name) for name in FILTERS}
        question = [access.url, filters]
        known = self._cache.get(key) if is_cached and cache else None
        if known is not None and known["question"] == question:
            return [_from_cache(item) for item in known["devices"]]
        devices = read_devices(access, filters, self._getter(access))
        if is_cached:
            items = [dataclasses.asdict(device) for device in devices]
            self._cache[key] = {"question": question, "devices": items}
        return devices

    def _access(self, path: str, given: Mapping[str, Any]) -> Access:
        """Return how to ask the API. Files that ours names are looked for beside it."""

        def file_of(name: str) -> str | None:
            beside = given.get(name)
            if beside is None:
                found: str | None = self.get_option(name)
                return found
            return str(unfrackpath(beside, basedir=os.path.dirname(path)))  # noqa: PTH120 - may be ""

        token_file = file_of("token_file")
        return access_to(
            url=self.get_option("url"),
            token=None if token_file else self.get_option("token"),
            token_file=token_file,
            ca=file_of("ca"),
            environment=os.environ,
        )

    def _getter(self, access: Access) -> Get:
        """Return what asks a URL: no proxy, no .netrc and no redirect has a part in it."""

        def get(url: str) -> Answer:
            try:
                answer = open_url(
                    url,
                    headers=access.headers,
                    ca_path=access.ca or None,
                    timeout=self.get_option("timeout"),
                    http_agent="pdsno.nib.nib",
                    follow_redirects="none",
                    use_proxy=False,
                    use_netrc=False,
                    decompress=False,
                )
                return Answer(answer.status, _body(answer))
            except HTTPError as error:
                return Answer(error.code, _body(error))
            except (AnsibleConnectionError, HTTPException, OSError) as error:
                raise NIBRestError(
                    f"cannot reach the API at {access.url} ({_cause(error)}): is the controller "
                    f"up, the URL right, and its CA named by ca or {CA_VARIABLE}?"
                ) from error

        return get

    def _add(self, devices: Iterable[ListedDevice]) -> None:
        ordered = in_order(devices)
        names = host_names(ordered)
        groups = Groups(names.values())
        strict = self.get_option("strict")
        for device in ordered:
            host = self.inventory.add_host(names[device.device_id])
            for group in groups.of(device):
                self.inventory.add_host(host, group=self.inventory.add_group(group))
            variables = wrap_var(variables_of(device))
            for name, value in variables.items():
                self.inventory.set_variable(host, name, value)
            self._set_composite_vars(self.get_option("compose"), variables, host, strict=strict)
            self._add_host_to_composed_groups(
                self.get_option("groups"), variables, host, strict=strict
            )
            self._add_host_to_keyed_groups(
                self.get_option("keyed_groups"), variables, host, strict=strict
            )


def _from_cache(item: Mapping[str, Any]) -> ListedDevice:
    lists = {name: tuple(item[name]) for name in ("macs", "ips")}
    return ListedDevice(**{**item, **lists})


def _body(answer: Any) -> bytes:
    found: bytes = answer.read(MOST_BYTES + 1)
    if len(found) > MOST_BYTES:
        raise NIBRestError(f"the API answers more than {MOST_BYTES >> 20} MiB for a page")
    # Of an answer that is cut off, `read` returns what there was and says nothing.
    if getattr(answer, "length", None):
        raise NIBRestError("the API broke off its answer; is the controller overloaded?")
    return found


def _cause(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error) or type(error).__name__
