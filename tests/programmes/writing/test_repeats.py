"""The same request again, and many at once."""

from concurrent.futures import ThreadPoolExecutor

from shared.contracts.programmes import AnnotationSet
from tests.programmes.writing.conftest import Caller
from tests.programmes.writing.samples import A_MEASURE, AN_ANNOTATION, good, refused


def test_a_repeat_with_its_key_gets_the_first_answer_and_changes_nothing(registry, lead):
    first = lead("POST", "/annotations", AN_ANNOTATION, headers={"Idempotency-Key": "k-1"})
    again = lead("POST", "/annotations", AN_ANNOTATION, headers={"Idempotency-Key": "k-1"})
    assert (again.status_code, again.content) == (201, first.content)
    assert [again.headers[name] for name in ("Location", "ETag")] == [
        first.headers[name] for name in ("Location", "ETag")
    ]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(registry.published(AnnotationSet)) == 1


def test_who_may_no_longer_write_is_not_told_what_was_answered(registry, lead):
    good(lead("POST", "/annotations", AN_ANNOTATION, headers={"Idempotency-Key": "k-1"}), 201)
    reader = Caller(registry, "lead", "EAST", scopes="programmes:read")
    refused(reader("POST", "/annotations", AN_ANNOTATION, headers={"Idempotency-Key": "k-1"}), 403, "forbidden")


def test_of_many_who_change_the_same_thing_at_once_exactly_one_wins(lead, drafted):
    tag = lead("GET", "/measures/east-falls/draft").headers["ETag"]

    def change(number):
        sent = A_MEASURE | {"name": f"Falls {number}"}
        return lead("PUT", "/measures/east-falls/draft", sent, headers={"If-Match": tag}).status_code

    with ThreadPoolExecutor(4) as people:
        answers = sorted(people.map(change, range(8)))
    assert answers == [200] + [412] * 7
    assert good(lead("GET", "/measures/east-falls/draft"))["revision"] == 2
