import pytest

from pdsno.communication.broker_acl import render_acl
from pdsno.domain.broker_rights import BrokerRights, SubjectRights
from pdsno.domain.errors import InputError

SUBJECT = "CN=local_cntl_zone-A_1,OU=local,OU=zone-A,O=pdsno"


def rights(**of_one: object) -> BrokerRights:
    one = SubjectRights(**{"subject": SUBJECT, **of_one})  # type: ignore[arg-type]
    return BrokerRights(version="v1", subjects=(one,))


def test_each_subject_has_a_block_of_exact_rights() -> None:
    text = render_acl(rights(publish=("a/b", "c"), read=("d/+", "e/#")))
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == [
        f"user {SUBJECT}",
        "topic write a/b",
        "topic write c",
        "topic read d/+",
        "topic read e/#",
    ]


def test_without_rights_no_line_gives_any() -> None:
    text = render_acl(BrokerRights(version=""))
    assert all(line.startswith("#") for line in text.splitlines())


@pytest.mark.attack(23)
@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": "x\ntopic readwrite #"},
        {"subject": ""},
        {"subject": " x"},
        {"subject": "x\0"},
        {"subject": "CN=zоne"},  # noqa: RUF001 - a Cyrillic letter is the attack
        {"publish": ("a\nb",)},
        {"publish": ("#",)},
        {"publish": ("a/+",)},
        {"read": ("a/#/b",)},
        {"read": ("",)},
        {"read": ("a\r",)},
    ],
)
def test_what_could_add_a_right_or_spoil_the_file_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        render_acl(rights(**wrong))
