"""Keys at an address: fetched when needed, kept, fetched again when they change; never more often than they should."""

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.access.jose import NotVerified
from gateway.access.remote import FRESH_SECONDS, GOOD_SECONDS, PAUSE_SECONDS, KeysUnavailable, RemoteKeys
from gateway.outward.documents import NotFetched

ONE, TWO = (ECKey.generate_key("P-256", auto_kid=True) for _ in range(2))
ENCRYPTING = {"kty": "RSA", "kid": "enc", "use": "enc", "alg": "RSA-OAEP", "e": "AQAB", "n": "AQAB"}


class Place:
    """Where keys are published; `away` when it does not answer. `now` is the time."""

    def __init__(self):
        self.keys, self.fetched, self.away, self.now = [ONE], 0, False, 1000.0
        self.remote = RemoteKeys(self.fetch, ["ES256"], clock=lambda: self.now)

    def fetch(self):
        self.fetched += 1
        if self.away:
            raise NotFetched("away")
        return {"keys": [ENCRYPTING, *(key.as_dict(private=False) for key in self.keys)]}

    def read(self, key):
        token = jwt.encode({"alg": "ES256", "kid": key.kid}, {"sub": "x"}, key, algorithms=["ES256"])
        self.remote.prepare(token)
        return self.remote.verify(token)


def test_keys_are_fetched_once_for_many_tokens():
    place = Place()
    for _ in range(5):
        assert place.read(ONE)
    assert place.fetched == 1


def test_a_key_that_is_new_is_fetched():
    place = Place()
    place.read(ONE)
    place.keys, place.now = [ONE, TWO], place.now + PAUSE_SECONDS
    assert place.read(TWO)
    assert place.fetched == 2


def test_tokens_with_made_up_keys_do_not_make_us_fetch_again_and_again():
    place = Place()
    place.read(ONE)
    for _ in range(101):
        place.now += PAUSE_SECONDS / 100
        with pytest.raises(NotVerified):
            place.read(TWO)
    assert place.fetched == 2


def test_a_key_that_was_taken_away_is_no_longer_good_after_ten_minutes():
    place = Place()
    place.read(ONE)
    place.keys, place.now = [TWO], place.now + FRESH_SECONDS
    with pytest.raises(NotVerified):
        place.read(ONE)


def test_while_the_address_is_away_its_keys_are_good_for_an_hour_and_no_longer():
    place = Place()
    place.read(ONE)
    place.away, place.now = True, place.now + GOOD_SECONDS - 1
    assert place.read(ONE)
    place.now += 1
    with pytest.raises(KeysUnavailable):
        place.read(ONE)


@pytest.mark.parametrize("keys", [None, "keys", [], {}, [ENCRYPTING], [{"kty": "oct", "k": "c2VjcmV0"}], [1] * 51])
def test_what_is_no_set_of_keys_gives_none(keys):
    remote = RemoteKeys(lambda: {"keys": keys}, ["ES256"])
    token = jwt.encode({"alg": "ES256", "kid": ONE.kid}, {}, ONE, algorithms=["ES256"])
    remote.prepare(token)
    with pytest.raises(KeysUnavailable):
        remote.verify(token)
