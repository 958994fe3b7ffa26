import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import SettingsError
from edge.record.register import load

GOOD = """
[[patient]]
reference = "Patient/p-17"
name = "Okonkwo, Adaeze"
birth_date = "1961-02-28"
identifiers = ["0017-4", "shared"]

[[patient]]
reference = "Patient/p-18"
name = "Lindqvist, Sven"
birth_date = "1958-07-01"
identifiers = ["0018-2", "shared"]

[[operator]]
reference = "Practitioner/5"
name = "R. Amsel"
badge = "B-5"

[[room]]
site = "north"
hub = "room-3"
patients = ["Patient/p-18"]
assigned = "Patient/p-17"
asserted_by = "Practitioner/5"
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "register.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def test_a_scanned_code_leads_to_the_reference_and_two_identifiers(written):
    (patient,) = load(written(GOOD)).identified("0017-4")
    assert (patient.reference, patient.display) == (
        "Patient/p-17",
        ("Okonkwo, Adaeze", "1961-02-28"),
    )


def test_a_code_that_two_people_have_leads_to_both(written):
    found = load(written(GOOD)).identified("shared")
    assert [patient.reference for patient in found] == ["Patient/p-17", "Patient/p-18"]


@pytest.mark.parametrize("code", ["", "0017", "0017-4 ", "Patient/p-17", "Okonkwo, Adaeze"])
def test_a_code_that_nobody_has_leads_to_nobody(written, code):
    assert load(written(GOOD)).identified(code) == ()


def test_a_badge_leads_to_its_person(written):
    register = load(written(GOOD))
    assert register.operator("B-5").reference == "Practitioner/5"
    assert register.operator("B-6") is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[patient]]", "[[pateint]]", "unknown field `pateint`"),
        ('"1961-02-28"', '"28.2.1961"', "$.patient[0].birth_date"),
        ('"Patient/p-17"', '"Group/p-17"', "$.patient[0].reference"),
        ('"Patient/p-18"', '"Patient/p-17"', "patient 2: the same reference as patient 1"),
        (
            'patients = ["Patient/p-18"]',
            'patients = ["Patient/p-9"]',
            "room 1: a patient who is not",
        ),
        ('asserted_by = "Practitioner/5"', "", "assigned without asserted_by"),
        ('asserted_by = "Practitioner/5"', 'asserted_by = "Practitioner/9"', "room 1: an operator"),
        ('hub = "room-3"', 'hub = "Room 3"', "room 1: hub 'Room 3'"),
        ("[[room]]", "[[room]", "line"),
    ],
)
def test_a_slip_is_named_with_its_place(written, old, new, said):
    path = written(GOOD.replace(old, new))
    with pytest.raises(SettingsError) as refused:
        load(path)
    assert str(path) in str(refused.value)
    assert said in str(refused.value)


def test_a_register_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match="No such file"):
        load(tmp_path / "none.toml")


@given(st.text(alphabet='abP"/[]=\n 1', min_size=1, max_size=40))
def test_no_slip_in_a_register_says_who_is_in_it(tmp_path_factory, tail):
    path = tmp_path_factory.mktemp("register") / "register.toml"
    path.write_text(GOOD + "]" + tail, "utf-8")
    with pytest.raises(SettingsError) as refused:
        load(path)
    told = str(refused.value)
    assert not any(word in told for word in ("Okonkwo", "1961", "0017", "Lindqvist"))
