"""An issuer, or a client, that publishes its keys on loopback and counts how often it is asked."""

import time
import uuid

import orjson
from joserfc import jwt
from joserfc.jwk import RSAKey

RSA = RSAKey.generate_key(2048, auto_kid=True)
LATER = RSAKey.generate_key(2048, auto_kid=True)


class Publisher:
    """An ASGI app: discovery and keys. `moved` answers with a redirect."""

    def __init__(self):
        self.keys, self.asked, self.moved, self.url = [RSA], [], False, ""

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.asked.append(scope["path"])
        document = {"keys": [key.as_dict(private=False) | {"use": "sig"} for key in self.keys]}
        if scope["path"].endswith("/openid-configuration"):
            document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        headers = [(b"location", f"{self.url}/elsewhere".encode())] if self.moved else []
        await send({"type": "http.response.start", "status": 302 if self.moved else 200, "headers": headers})
        await send({"type": "http.response.body", "body": orjson.dumps(document)})

    def token(self, *, key=RSA, header=None, **claims):
        """A token of this issuer; a claim that is None is left out."""
        now = int(time.time())
        whole = {
            "iss": self.url, "sub": "ann.example", "aud": "api://psip", "iat": now, "exp": now + 600,
            "jti": uuid.uuid4().hex, "roles": ["analyst"],
        } | claims  # fmt: skip
        whole = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": key.kid} | (header or {}), whole, key, algorithms=["RS256"])
