"""What can go wrong with clients and their access."""

from shared.problems import Problem


class UnknownClient(Problem):
    """No client that you may see has this id."""

    status, slug = 404, "unknown-client"


class ClientExists(Problem):
    """There is a client with this id already."""

    status, slug = 409, "client-exists"


class ClientRevoked(Problem):
    """This client has been revoked, which is for ever: register another."""

    status, slug = 409, "client-revoked"


class BeyondAuthority(Problem):
    """Nobody can give a client more than they have themselves.

    Scopes, organisations and audience of a new client must lie within those of the client that registers it.
    """

    status, slug = 403, "beyond-authority"


class InvalidClient(Problem):
    """Something about this client cannot be."""

    status, slug = 422, "invalid-client"
