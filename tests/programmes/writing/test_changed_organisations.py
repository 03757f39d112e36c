"""Organisations registered and changed."""

from shared.contracts.programmes import OrganisationChanged
from tests.programmes.writing.samples import A_HOME, good, refused


def test_a_home_is_registered_in_an_icb_that_is_yours(registry, lead):
    shown = good(lead("POST", "/organisations", A_HOME), 201)
    assert (shown["code"], shown["within"]["icb"], shown["within"]["psc"]) == ("VM001", "T6Y0W", "EAST")
    assert registry.published(OrganisationChanged)[-1].code == "VM001"
    refused(lead("POST", "/organisations", A_HOME), 409, "already-there")


def test_many_homes_are_registered_at_once_under_a_provider_that_comes_with_them(lead):
    provider = A_HOME | {"code": "AX1", "name": "Larch Care", "kind": "care_home_provider", "identifiers": {}}
    homes = [
        A_HOME
        | {
            "code": f"VM{number:03}",
            "identifiers": {"cqc": f"1-{number:09}"},
            "edges": [*A_HOME["edges"], {"parent": "AX1", "hierarchy": "provider"}],
        }
        for number in range(50)
    ]
    assert good(lead("POST", "/organisations", [provider, *homes]), 201) == {
        "registered": 51, "changed": 0, "unchanged": 0,
    }  # fmt: skip
    again = good(lead("POST", "/organisations", [provider, *homes[:-1], homes[-1] | {"name": "Renamed"}]), 201)
    assert again == {"registered": 0, "changed": 1, "unchanged": 50}
    assert len(good(lead("GET", "/organisations/AX1/members"))["items"]) == 50


def test_a_home_cannot_be_moved_under_somebody_elses_icb(lead):
    good(lead("POST", "/organisations", A_HOME), 201)
    moved = A_HOME | {"edges": [{"parent": "QHM", "hierarchy": "icb"}]}
    refused(lead("PUT", "/organisations/VM001", moved), 403, "not-your-organisation")


def test_what_was_read_can_be_changed_and_sent_back(lead):
    shown = good(lead("POST", "/organisations", A_HOME), 201)
    changed = lead("PUT", "/organisations/VM001", shown | {"name": "Larches House"})
    assert good(changed)["name"] == "Larches House"


def test_an_update_that_would_be_lost_is_refused(lead, second):
    tag = lead("POST", "/organisations", A_HOME).headers["ETag"]
    good(second("PUT", "/organisations/VM001", A_HOME | {"name": "First"}, headers={"If-Match": tag}))
    late = lead("PUT", "/organisations/VM001", A_HOME | {"name": "Second"}, headers={"If-Match": tag})
    refused(late, 412, "precondition-failed")
    assert good(lead("GET", "/organisations/VM001"))["name"] == "First"
