"""Pages: a cursor continues where the page before ended, and one that is not ours is refused."""

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Request, Response
from hypothesis import given
from hypothesis import strategies as st

from shared.paging import Cursor, Limit, decode, encode, page
from shared.problems import InvalidRequest

NAMES = [f"name {number:02d}" for number in range(25)]
parts = st.lists(
    st.one_of(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.integers(-(2**53), 2**53)),
    max_size=4,
)


@given(parts)
def test_a_cursor_brings_the_key_back(key: list[str | int]) -> None:
    assert decode(encode(key), parts=len(key)) == key
    assert decode(encode(key), parts=[type(one) for one in key]) == key


@given(parts)
def test_a_cursor_needs_no_escaping_in_an_address(key: list[str | int]) -> None:
    assert set(encode(key)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_no_cursor_is_the_first_page() -> None:
    assert decode(None, parts=2) is None


@given(st.text(max_size=20))
def test_a_cursor_that_anybody_made_up_is_refused_or_read(cursor: str) -> None:
    try:
        key = decode(cursor, parts=(str,))
    except InvalidRequest:
        return
    assert key is not None
    assert isinstance(key[0], str)


@pytest.mark.parametrize(
    ("key", "kinds"),
    [
        (["a"], (str, str)),
        (["a", "b"], (str,)),
        ([1], (str,)),
        (["1"], (int,)),
        ([True], (int,)),
        ([None], (str,)),
        ([1.5], (int,)),
        ([["a"]], (str,)),
        ([{"a": 1}], (str,)),
        (["a\0b"], (str,)),
        ([None], 1),
        ([["a"]], 1),
        (["a\0b"], 1),
        ([], 1),
    ],
)
def test_a_cursor_of_another_list_is_refused(key: list[Any], kinds: Any) -> None:
    with pytest.raises(InvalidRequest, match="not given by this list") as refused:
        decode(encode(key), parts=kinds)

    assert refused.value.errors[0]["parameter"] == "cursor"


def test_a_cursor_that_holds_no_list_is_refused() -> None:
    for text in (b'"a"', b"{}", b"7", b"", b"\xff"):
        with pytest.raises(InvalidRequest):
            decode(base64.urlsafe_b64encode(text).decode(), parts=1)


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/names/{kind}")
    def names(
        request: Request, response: Response, kind: str, starting: str = "", limit: Limit = 10, cursor: Cursor = None
    ) -> dict[str, Any]:
        after = decode(cursor, parts=(str,))
        rows = [name for name in NAMES if name.startswith(starting) and (after is None or name > after[0])]
        return page(rows[: limit + 1], limit=limit, key=lambda one: [one], request=request, response=response)

    return router


def test_following_the_links_gives_every_item_once(serve: Callable[..., httpx.Client]) -> None:
    client = serve(routes())
    answer = client.get("/names/all", params={"limit": 7, "starting": "name"})
    found = answer.json()["items"]

    while "next" in answer.links:
        assert "starting=name" in answer.links["next"]["url"]
        assert answer.json()["next_cursor"] in answer.links["next"]["url"]
        answer = client.get(answer.links["next"]["url"])
        found += answer.json()["items"]

    assert found == NAMES
    assert answer.json()["next_cursor"] is None


def test_a_page_that_ends_the_list_exactly_has_no_next(serve: Callable[..., httpx.Client]) -> None:
    answer = serve(routes()).get("/names/all", params={"limit": 25})

    assert answer.json() == {"items": NAMES, "next_cursor": None}
    assert "Link" not in answer.headers


@pytest.mark.parametrize("limit", [0, 1001, "many"])
def test_a_page_has_a_sensible_size(serve: Callable[..., httpx.Client], limit: int | str) -> None:
    assert serve(routes()).get("/names/all", params={"limit": limit}).status_code == 422


def test_a_path_cannot_write_headers(serve: Callable[..., httpx.Client]) -> None:
    answer = serve(routes()).get("/names/%0d%0aSet-Cookie:%20a=b%3E%3F%E2%82%AC")

    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert answer.links["next"]["url"].startswith("/names/%0D%0ASet-Cookie")
