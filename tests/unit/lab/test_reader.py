from pathlib import Path

import pytest

from pdsno.domain.errors import InputError
from pdsno.lab.reader import load_topology
from pdsno.lab.topology import Role

PAIR = """
name: pair
topology:
  defaults: {kind: linux, image: alpine}
  nodes:
    a: {}
    b: {}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "lab.clab.yml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty"),
        ("a: [1", "not YAML"),
        ("a: b: c", ":1: not YAML"),
        ("- a\n- b\n", "not a containerlab topology"),
        ("topology: {nodes: {a: {kind: linux}}}", "has no 'name'"),
        ("name: x", "has no 'topology'"),
        ("name: ../x\ntopology: {nodes: {a: {kind: linux}}}", "no lab name"),
        ("name: x\ntopology: {}", "topology: has no nodes"),
        ("name: x\nnetwork: 1\ntopology: {nodes: {a: {kind: linux}}}", "unknown field 'network'"),
        ("name: x\ntopology: {nodes: {a: {}}}", "topology.nodes.a: has no kind"),
        ("name: x\ntopology: {nodes: {a: {kind: cat}}}", "a.kind: unknown kind 'cat'"),
        ("name: x\ntopology: {nodes: {a: {kind: bridge}}}", "kind 'bridge' uses parts"),
        ("name: x\ntopology: {nodes: {a: {kind: nokia_srlinux}}}", "needs its vendor's image"),
        ("name: x\ntopology: {nodes: {a/b: {kind: linux}}}", "'a/b' is no node name"),
        ("name: x\ntopology: {nodes: {a: {kind: linux, imgae: y}}}", "unknown field 'imgae'"),
        ("name: x\ntopology: {nodes: {a: {kind: linux}, a: {kind: linux}}}", "defined twice"),
        ("name: x\ntopology:\n nodes:\n  a: {kind: linux}\n  a: {kind: linux}\n", ":5: "),
        ("name: x\ntopology: {nodes: [a]}", "topology.nodes: must be a mapping"),
        ("name: x\ntopology: {nodes: {a: {kind: linux, exec: ip}}}", "a.exec: must be a list"),
        ("name: x\ntopology: {nodes: {a: {kind: linux, exec: ['a \"b']}}}", "not a command"),
        ("name: x\ntopology: {nodes: {a: {kind: linux, binds: [here]}}}", "a.binds[0]: a bind is"),
        (
            "name: x\ntopology: {nodes: {a: {kind: linux, binds: ['none:/etc/x']}}}",
            "/none does not exist",
        ),
        (
            "name: x\ntopology: {nodes: {a: {kind: linux, network-mode: host}}}",
            "network-mode 'host' is not supported",
        ),
        (
            "name: x\ntopology: {nodes: {a: {kind: linux, startup-delay: soon}}}",
            "must be a whole number",
        ),
        ("name: ${PDSNO_NO_SUCH}\n", ":1: variable PDSNO_NO_SUCH is not set"),
        (PAIR + "  links: [{endpoints: ['a:eth1']}]", "exactly two endpoints"),
        (PAIR + "  links: [{endpoints: ['a:eth1', 'c:eth1']}]", "there is no node 'c'"),
        (PAIR + "  links: [{endpoints: ['a:eth1', 'host:x']}]", "links to 'host'"),
        (PAIR + "  links: [{endpoints: ['a', 'b:eth1']}]", "NODE:INTERFACE, not 'a'"),
        (PAIR + "  links: [{endpoints: ['a:eth0', 'b:eth1']}]", "management network"),
        (PAIR + "  links: [{endpoints: ['a:seventeen-letters', 'b:eth1']}]", "no interface name"),
        (
            PAIR + "  links: [{endpoints: ['a:eth1', 'b:eth1']}, {endpoints: ['a:eth1', 'b:e2']}]",
            "interface a:eth1 is used twice",
        ),
        (PAIR + "  links: [{type: vxlan, endpoints: []}]", "link type 'vxlan' is not supported"),
        (
            PAIR
            + "  links: [{type: veth, endpoints: [{node: a, interface: e1, mac: zz}, {node: b}]}]",
            "'zz' is no MAC address",
        ),
        (PAIR + "  links: [{endpoints: ['a:e1', 'b:e1'], mtu: 1}]", "between 68 and 65535"),
        (PAIR + "mgmt: {ipv4-subnet: 10.0.0.0/33}", "is no IPv4 network"),
        (PAIR + "mgmt: {ipv4-subnet: 10.0.0.1/24}", "has host bits set"),
        (PAIR + "mgmt: {ipv4-subnet: 10.0.0.0/30}", "too small"),
        (PAIR + "mgmt: {ipv4-gw: 10.0.0.1}", "not inside the management subnet"),
        (
            "name: x\ntopology: {nodes: {a: {kind: linux, mgmt-ipv4: 10.0.0.9}}}",
            "10.0.0.9 is not inside the management subnet 172.20.20.0/24",
        ),
        (
            "name: x\ntopology: {nodes: {a: {kind: linux, mgmt-ipv4: 172.20.20.1}}}",
            "gateway, network or broadcast",
        ),
        (
            PAIR.replace("a: {}", "a: {mgmt-ipv4: 172.20.20.9}").replace(
                "b: {}", "b: {mgmt-ipv4: 172.20.20.9}"
            ),
            "already the management address of node 'a'",
        ),
    ],
)
def test_a_wrong_file_is_refused_in_one_clear_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as raised:
        load_topology(path)
    message = str(raised.value)
    assert expected in message
    assert message.startswith(str(path))
    assert "\n" not in message


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_topology(tmp_path / "absent.yml")


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        load_topology(path)


def test_a_node_inherits_from_defaults_kind_and_group(tmp_path: Path) -> None:
    (tmp_path / "daemons").touch()
    path = write(
        tmp_path,
        """
name: inherit
topology:
  defaults:
    kind: linux
    image: alpine
    env: {A: defaults, B: defaults, C: defaults, D: defaults}
    exec: [echo defaults]
  kinds:
    linux: {env: {B: kind, C: kind, D: kind}, exec: [echo kind]}
  groups:
    g: {env: {C: group, D: group}, exec: [echo group], binds: ["daemons:/x", "daemons:/y:ro"]}
  nodes:
    n:
      group: g
      image: quay.io/frrouting/frr:9.1.0
      env: {D: 4}
      exec: [echo node]
      binds: ["daemons:/x:ro"]
""",
    )
    (node,) = load_topology(path).nodes
    assert node.role is Role.ROUTER
    assert [node.env[name] for name in "ABCD"] == ["defaults", "kind", "group", "4"]
    assert node.exec == ("echo defaults", "echo kind", "echo group", "echo node")
    assert {(bind.target, bind.is_read_only) for bind in node.binds} == {("/x", True), ("/y", True)}
    assert all(bind.source == tmp_path / "daemons" for bind in node.binds)


def test_kind_frr_takes_its_startup_configuration_and_daemons(tmp_path: Path) -> None:
    (tmp_path / "frr.conf").touch()
    path = write(
        tmp_path,
        """
name: f
topology:
  nodes:
    r: {kind: frr, startup-config: frr.conf, extras: {frr: {daemons: [ospfd, bgpd]}}}
""",
    )
    (node,) = load_topology(path).nodes
    assert [bind.target for bind in node.binds] == ["/etc/frr/frr.conf"]
    assert node.env["LAB_FRR_DAEMONS"] == "ospfd bgpd"


def test_links_are_read_in_both_forms(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        PAIR
        + """
  links:
    - endpoints: ["a:eth1", "b:eth1"]
      mtu: 1400
      ipv4: ["10.0.0.1/30", "10.0.0.2/30"]
    - type: veth
      endpoints:
        - {node: a, interface: eth2, mac: "AA:BB:CC:00:00:01", ipv4: 10.0.1.1/24}
        - {node: b, interface: eth2}
""",
    )
    short, long = load_topology(path).links
    assert (short.mtu, short.a.addresses, short.b.addresses) == (
        1400,
        ("10.0.0.1/30",),
        ("10.0.0.2/30",),
    )
    assert (long.mtu, long.a.mac, long.a.addresses, long.b.mac) == (
        9500,
        "aa:bb:cc:00:00:01",
        ("10.0.1.1/24",),
        None,
    )


def test_what_has_no_effect_is_named_with_its_place(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "name: x\ntopology:\n  nodes:\n    a: {kind: linux, image: strange/box, cpu: 2}\n",
    )
    warnings = load_topology(path).warnings
    assert any(":4: topology.nodes.a.cpu: 'cpu' has no effect" in text for text in warnings)
    assert any("image 'strange/box' is not known here" in text for text in warnings)


def test_variables_are_taken_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_IMAGE", "debian:12")
    path = write(
        tmp_path,
        "name: ${LAB_NAME_UNSET:=fallback}\n"
        "topology: {nodes: {a: {kind: linux, image: '${LAB_IMAGE}'}}}\n",
    )
    topology = load_topology(path)
    assert (topology.name, topology.nodes[0].image) == ("fallback", "debian:12")


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("", "clab-x-a"), ("prefix: ''\n", "a"), ("prefix: __lab-name\n", "x-a"),
     ("prefix: my\n", "my-x-a")],
)  # fmt: skip
def test_containers_are_named_as_containerlab_names_them(
    tmp_path: Path, prefix: str, expected: str
) -> None:
    path = write(tmp_path, f"{prefix}name: x\ntopology: {{nodes: {{a: {{kind: linux}}}}}}\n")
    assert load_topology(path).long_name("a") == expected


def test_the_magic_node_name_stands_for_the_node(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    path = write(
        tmp_path,
        "name: x\ntopology:\n  kinds: {linux: {binds: ['__clabNodeName__:/etc/x']}}\n"
        "  nodes: {a: {kind: linux}}\n",
    )
    assert load_topology(path).nodes[0].binds[0].source == tmp_path / "a"
