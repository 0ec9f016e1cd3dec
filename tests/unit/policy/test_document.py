"""Policy files: what is accepted, and one line with the place for what is not."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdsno.domain.errors import InputError
from pdsno.domain.jsonable import jsonable
from pdsno.domain.policy import Admission, LocalPolicy, Policy, RegionPolicy
from pdsno.policy.document import describe_changes, load_policy, parse_policy, policy_from

TEXT = """\
regions:
  - region: zone-A
    admission: global
    local_quota: 3
    prefixes: [10.1.0.0/16]
    local_controllers:
      - controller_id: local_cntl_zone-A_1
        subnets:
          - 10.1.1.0/24
        interval_s: 30
  - region: zone-B
"""

POLICY = Policy(
    regions=(
        RegionPolicy(
            region="zone-A",
            admission=Admission.GLOBAL,
            local_quota=3,
            prefixes=("10.1.0.0/16",),
            local_controllers=(
                LocalPolicy(
                    controller_id="local_cntl_zone-A_1", subnets=("10.1.1.0/24",), interval_s=30
                ),
            ),
        ),
        RegionPolicy(region="zone-B"),
    )
)


def test_yaml_and_json_give_the_same_policy(tmp_path: Path) -> None:
    yaml_file, json_file = tmp_path / "policy.yml", tmp_path / "policy.json"
    yaml_file.write_text(TEXT)
    json_file.write_text(json.dumps(jsonable(POLICY), indent=2))
    assert load_policy(yaml_file) == load_policy(json_file) == POLICY
    assert policy_from(jsonable(POLICY)) == POLICY


@pytest.mark.attack(61)
@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("local_quota", "local_qouta", "line 4: regions[0].local_qouta: there is no such field"),
        ("subnets:", "subnet:", "did you mean subnets?"),
        ("local_quota: 3", "local_quota: '3'", "line 4: regions[0].local_quota: input should be"),
        ("local_quota: 3", "local_quota: -3", "quotas cannot be negative"),
        ("local_quota: 3", "local_quota: 1e99", "line 4"),
        ("local_quota: 3", "local_quota: .nan", "holds what JSON cannot"),
        ("admission: global", "admission: maybe", "line 3: regions[0].admission: input should be"),
        ("region: zone-A", "region: no", "line 2: regions[0].region: input should be a valid str"),
        ("region: zone-A", "region: global", "cannot name a region"),
        ("region: zone-B", "region: Zone-a", "are the same name"),
        ("10.1.1.0/24", "10.1.1.7/24", "did you mean 10.1.1.0/24?"),
        ("10.1.1.0/24", "10.0.0.0/8", "more than a /16"),
        ("10.1.1.0/24", "2026-01-02", "line 9: a timestamp is not allowed here"),
        ("interval_s: 30", "interval_s: 1", "at least 5"),
        ("interval_s: 30", "query: no\n        query: yes", "line 11: 'query' stands twice"),
        ("- region: zone-B", "- &a {region: zone-B}\n  - *a", "aliases"),
        ("region: zone-B", "<<: {region: zone-B}", "merge is not allowed"),
        ("region: zone-B", "!!python/name:os.system x", "python/name:os.system is not allowed"),
        ("- region: zone-B", "- zone-B", "line 11: regions[1]"),
        ("regions:", "regions: [", "line"),
        ("regions:", "? [a]\n: b\nregions:", "a key must be plain text"),
    ],
)  # fmt: skip
def test_a_fault_is_one_line_that_names_the_place(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    path = tmp_path / "policy.yml"
    assert old in TEXT
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load_policy(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert problem in text
    assert "\n" not in text


@pytest.mark.attack(61)
@pytest.mark.parametrize("text", ["", "[]", "7", "null", "regions", "\0", "a\tb: [", "[" * 5000])
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_policy(text)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_policy(tmp_path / "absent.yml")
    (tmp_path / "latin.yml").write_bytes(b"# \xe9\n")
    with pytest.raises(InputError, match="UTF-8"):
        load_policy(tmp_path / "latin.yml")
    (tmp_path / "huge.yml").write_text("#" * 1_100_000)
    with pytest.raises(InputError, match="larger than"):
        load_policy(tmp_path / "huge.yml")


def test_a_document_over_the_socket_is_read_as_strictly() -> None:
    with pytest.raises(InputError, match=r"regions\[0\]\.quota: there is no such field"):
        policy_from({"regions": [{"region": "zone-A", "quota": 1}]})
    with pytest.raises(InputError, match=r"regions\[0\]\.region: field required"):
        policy_from({"regions": [{}]})


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["regions", "region", "local_controllers", "x"]), inner),
    max_leaves=8,
))  # fmt: skip
def test_any_document_is_a_sound_policy_or_an_input_error(value: object) -> None:
    with suppress(InputError):
        assert isinstance(policy_from({"regions": value}), Policy)


def test_changes_are_told_in_words() -> None:
    local = POLICY.regions[0].local_controllers[0]
    moved = replace(local, subnets=("10.1.2.0/24", "10.1.3.0/24"), query=False)
    second = LocalPolicy(controller_id="local_cntl_zone-A_2", subnets=("10.1.4.0/24",))
    zone_a = replace(POLICY.regions[0], local_quota=5, local_controllers=(moved, second))
    new = replace(POLICY, version=9, regions=(zone_a, RegionPolicy(region="zone-C")))
    lc_1 = "region zone-A: local controller local_cntl_zone-A_1"
    assert describe_changes(POLICY, new) == (
        "region zone-A: local_quota 3 -> 5",
        f"{lc_1}: subnets 10.1.1.0/24 -> 10.1.2.0/24, 10.1.3.0/24",
        f"{lc_1}: query yes -> no",
        "region zone-A: local controller local_cntl_zone-A_2: added (10.1.4.0/24)",
        "region zone-B: removed",
        "region zone-C: added (0 local controllers named)",
    )
    assert describe_changes(POLICY, replace(POLICY, version=9)) == ()
    assert len(describe_changes(None, POLICY)) == 2
