"""Write docs/reference/attacks.md: which tests carry out which class of attacks and faults.

Tests name the classes by the marker `attack`; this reads it from their source. `--check` writes
nothing, and fails if the document is not what it would write.
"""

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "reference" / "attacks.md"

CHANGE = "not yet: there are no configuration changes"
HA = "not yet: there is one global controller"


@dataclass(frozen=True)
class Attack:
    """One class. `note` says what is not tested, and why."""

    name: str
    note: str = ""


GROUPS: Mapping[str, Mapping[int, Attack]] = {
    "Who somebody is": {
        1: Attack("A validation request is sent again, byte for byte"),
        2: Attack("Clocks that are too far off, and a little off"),
        3: Attack("A join token is used twice, by its key, by another, by fifty at once"),
        4: Attack("A join token for another role, region or validator"),
        5: Attack("Forged and expired tokens: no algorithm, another one, strange key IDs"),
        6: Attack("A challenge is answered by another key, late, twice, for another claim"),
        7: Attack("Somebody stands between joiner and validator"),
        8: Attack(
            "Floods of validation requests",
            "2,000 and 3,000 requests, from 1 and 200 sources. Whoever holds ten good tokens can "
            "fill the 100 open challenges for half a minute",
        ),
        9: Attack("What a stolen regional authority signs; a regional controller that admits more"),
        10: Attack("Validation by those who may not"),
        11: Attack("Two machines with one key"),
        12: Attack("A controller or token goes on after its rights were taken back"),
        13: Attack(
            "Revocation lists that are old, missing or forged",
            "does not apply: there are no lists, rights are asked for on each request",
        ),
        14: Attack("The validator dies between commit and answer"),
        15: Attack("Many at once for the last seat of a quota"),
        16: Attack("IDs and regions with room for injection"),
    },
    "Messages and transport": {
        17: Attack("A false sender under a right key"),
        18: Attack("Messages that were changed, mixed or stripped"),
        19: Attack("A message is sent again, also after a restart of its receiver"),
        20: Attack("Requests that are too large, endless or slow"),
        21: Attack("What is not well-formed"),
        22: Attack("Calls without a certificate or a token, on every route and port"),
        23: Attack("Topics of others at the broker, wills, take-overs, MQTT 3.1.1"),
        24: Attack(
            "Old policy, rightly signed",
            "a broker that replays is played by its messages, not by an altered database",
        ),
        25: Attack(
            "A broker that drops, reorders, repeats and invents",
            "played by a made-up transport; a real one is only killed",
        ),
        26: Attack("The broker is away, restarted, or killed under load"),
        27: Attack(
            "The broker's disk is full, its database damaged",
            "a full disk is deferred: mosquitto goes on without saving, and what it loses is "
            "sent again as after a kill",
        ),
        28: Attack("Servers and brokers with the wrong certificate, or without TLS"),
        29: Attack("SQL in every text, filter and order"),
        30: Attack(
            "Paths that lead elsewhere, in names",
            "no name from outside becomes a file name yet: there are no backups or templates",
        ),
    },
    "Storage": {
        31: Attack(
            "Killed at any point",
            "at random moments of real processes; there are no named points",
        ),
        32: Attack("Killed between writing and publishing"),
        33: Attack("The database is locked by another process"),
        34: Attack("Full disk, read-only disk, no file descriptors"),
        35: Attack("Damaged and truncated database files"),
        36: Attack(
            "Events are changed, removed or written anew",
            "a log that was cut off at its end, or sealed anew as a whole, is not found out yet: "
            "that needs checkpoints kept elsewhere",
        ),
        37: Attack(
            "Two writers of one row",
            "locks of devices, and their holders that were stopped, come with changes",
        ),
        38: Attack("Histories of locks and tokens are checked for order", CHANGE),
    },
    "Several controllers": {
        39: Attack("The global controller is away for long"),
        40: Attack("Two global controllers after a partition", HA),
        41: Attack("A leader that was stopped and goes on", HA),
        42: Attack(
            "Clocks that jump",
            "moved by the test within a process; not whole processes under another clock",
        ),
        43: Attack("A region is cut off and comes back with much to tell"),
        44: Attack(
            "Everybody comes back at once",
            "only that they do not come at the same moment; 200 at once is deferred: one machine "
            "cannot tell its own load from theirs",
        ),
        45: Attack("Lossy and slow links"),
    },
    "Discovery": {
        46: Attack(
            "MAC addresses twice, moving, or false",
            "a false MAC of an important router is deferred: policy names no important ones yet",
        ),
        47: Attack(
            "Ten thousand devices in one report",
            "a mass disappearance is held; a mass appearance is not, and is measured by "
            "`make bench` only",
        ),
        48: Attack("Reports for what is not the sender's"),
        49: Attack("Device texts with control characters, markup, formulas"),
        50: Attack("Output of devices without end, slow, or made to hang a parser"),
    },
    "Changes": {
        51: Attack("A dangerous change that calls itself harmless", CHANGE),
        52: Attack("What was approved is swapped, or done twice", CHANGE),
        53: Attack("Approval by oneself, or by who may not", CHANGE),
        54: Attack("Policy changes while an approval is under way", CHANGE),
        55: Attack("The way for emergencies is misused", CHANGE),
        56: Attack("A change fails on some devices, and so does taking it back", CHANGE),
        57: Attack("A change cuts off its own way", CHANGE),
        58: Attack("Killed in any state of a change", CHANGE),
        59: Attack("A device shows another host key"),
        60: Attack("Two changes of one device at once", CHANGE),
    },
    "Input": {
        61: Attack("Settings, policy and credentials that are no strict YAML"),
        62: Attack(
            "Templates that run programs",
            "there are no templates yet; those of an Ansible inventory are not run",
        ),
        63: Attack("Secrets in logs, events, errors, processes and files"),
        64: Attack("Headers that lie about who and where; ambiguous requests"),
    },
}


def covered(root: Path = ROOT) -> dict[int, list[str]]:
    """Return the tests of each class: file and names, as pytest takes them."""
    found: dict[int, list[str]] = defaultdict(list)
    for file in sorted((root / "tests").rglob("test_*.py")):
        place = file.relative_to(root).as_posix()
        for name, numbers in _marked(ast.parse(file.read_text())):
            for number in numbers:
                found[number].append(f"{place}::{name}" if name else place)
    return found


def _marked(tree: ast.Module) -> Iterator[tuple[str, list[int]]]:
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name, decorator_list=marks) if name.startswith("test_"):
                yield name, [number for mark in marks for number in _numbers(mark)]
            case ast.Assign(targets=[ast.Name(id="pytestmark")], value=value):
                marks = value.elts if isinstance(value, ast.List) else [value]
                yield "", [number for mark in marks for number in _numbers(mark)]


def _numbers(mark: ast.expr) -> list[int]:
    match mark:
        case ast.Call(func=func, args=args) if ast.unparse(func) == "pytest.mark.attack":
            return [int(ast.literal_eval(argument)) for argument in args]
    return []


def document(tests: Mapping[int, list[str]]) -> str:
    """Return the whole document. Raises ValueError for a class without tests and without a note."""
    known = {number for group in GROUPS.values() for number in group}
    strange = sorted(tests.keys() - known)
    if strange:
        raise ValueError(f"tests name classes that do not exist: {strange}")
    lines = [
        "# Attacks and faults that the tests carry out",
        "",
        "Written by `python tools/attacks.py` from the marker `attack` of the tests.",
        "`make test ARGS='-m attack'` runs them all. What is not tested says why.",
    ]
    for title, group in GROUPS.items():
        lines += ["", f"## {title}", "", "| | attack or fault | tests |", "|---|---|---|"]
        lines += [_row(number, attack, tests.get(number, [])) for number, attack in group.items()]
    return "\n".join(lines) + "\n"


def _row(number: int, attack: Attack, tests: list[str]) -> str:
    if not tests and not attack.note:
        raise ValueError(f"class {number} ({attack.name}) has neither a test nor a reason")
    by_file: dict[str, int] = defaultdict(int)
    for test in tests:
        by_file[test.partition("::")[0]] += 1
    cell = [f"[{Path(f).stem}](../../{f}) ({count})" for f, count in by_file.items()]
    if attack.note:
        cell.append(f"*{attack.note}*")
    return f"| {number} | {attack.name} | {'<br>'.join(cell)} |"


def main() -> int:
    """Write the document, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    text = document(covered())
    if not parser.parse_args().check:
        DOCUMENT.write_text(text)
        return 0
    if not DOCUMENT.is_file() or DOCUMENT.read_text() != text:
        print(f"{DOCUMENT.relative_to(ROOT)} is old: run python tools/attacks.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
