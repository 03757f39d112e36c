"""Keys and signatures against Google's Wycheproof vectors: what is wrong is refused, what is right is taken."""

import json
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gateway.access.jose import Keys, NotVerified, UnusableKeys, claims_of

VECTORS = Path(__file__).parents[4] / "shared" / "data" / "peers" / "jwt-wycheproof"
ALGORITHMS = ("RS256", "RS512", "ES256", "EdDSA")
CLIENTS = ("RS512", "ES256", "EdDSA")


def vectors():
    for path in sorted(VECTORS.glob("*.json")):
        for group in json.loads(path.read_text())["testGroups"]:
            keys = group.get("public", group["private"])
            for test in group["tests"]:
                if "jws" in test:
                    identity = f"{path.stem}-{test['tcId']}-{test['comment']}"
                    yield pytest.param(keys.get("keys", [keys]), test["jws"], test["result"], id=identity)


def accepted(keys, token):
    try:
        Keys(keys, ALGORITHMS).verify(token if isinstance(token, str) else json.dumps(token))
    except (UnusableKeys, NotVerified):
        return False
    return True


@pytest.mark.published
@pytest.mark.skipif(not VECTORS.exists(), reason="the published vectors are not beside this checkout")
@pytest.mark.parametrize(("keys", "token", "result"), [*vectors()] or [([], "", "invalid")])
def test_wycheproof(keys, token, result):
    asymmetric = all(key["kty"] != "oct" for key in keys)
    assert accepted(keys, token) == (result == "valid" and asymmetric)


def jwk(key, **more):
    return key.as_dict(private=False) | more


P256 = ECKey.generate_key("P-256", auto_kid=True)
ED25519 = OKPKey.generate_key("Ed25519", auto_kid=True)
RSA = RSAKey.generate_key(2048, auto_kid=True)
SMALL_RSA = {"kty": "RSA", "kid": "small", "e": "AQAB", "n": RSA.as_dict(private=False)["n"][:170]}


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([], "must be keys"),
        ([P256.as_dict(private=True)], "private"),
        ([{"kty": "oct", "k": "c2VjcmV0"}], "private or shared"),
        ([jwk(P256), jwk(P256)], "of its own"),
        ([jwk(P256), {name: value for name, value in jwk(ED25519).items() if name != "kid"}], "of its own"),
        ([jwk(P256, use="enc")], "not for signatures"),
        ([jwk(P256, key_ops=["sign"])], "not for signatures"),
        ([jwk(P256, key_ops=None)], "not for signatures"),
        ([jwk(P256, alg="RS512")], "not taken"),
        ([jwk(ECKey.generate_key("P-521", auto_kid=True))], "not taken"),
        ([SMALL_RSA], "shorter"),
        ([{"kty": "RSA", "n": "*", "e": "AQAB"}], "shorter"),
        ([jwk(P256, x="AAAA")], "cannot be read"),
        ([{"kty": "martian"}], "cannot be read"),
        ([{}], "cannot be read"),
        (["a string"], "JSON object"),
    ],
)
def test_keys_that_could_not_be_relied_upon_are_refused_with_the_reason(keys, says):
    with pytest.raises(UnusableKeys, match=says):
        Keys(keys, CLIENTS)


@pytest.mark.parametrize("key", [P256, ED25519, RSA], ids=["EC", "OKP", "RSA"])
def test_good_keys_are_taken(key):
    assert Keys([jwk(key)], CLIENTS)


@pytest.mark.parametrize("payload", [b"", b"[]", b"7", b"{", b'"x"', b"\xff", b'{"exp": NaN}'])
def test_claims_are_a_json_object(payload):
    with pytest.raises(NotVerified):
        claims_of(payload)
