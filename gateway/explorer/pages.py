"""The pages and their parts: a way in, the problems. Text in, HTML out; everything that is not ours is escaped."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from fastapi.responses import HTMLResponse

TEMPLATES = Path(__file__).parent / "templates"


def page(title: str, content: str, *, status: int = 200) -> HTMLResponse:
    """A whole page. `content` is HTML; `title` is text. Nothing on it runs, and nothing is loaded from anywhere."""
    frame, style, policy = _frame()
    html = frame.substitute(title=escape(title), style=style, content=content)
    return HTMLResponse(html, status, headers={"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"})


@cache
def _frame() -> tuple[Template, str, str]:
    style = (TEMPLATES / "page.css").read_text()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Template((TEMPLATES / "page.html").read_text()), style, policy


def landing(*, base_url: str) -> HTMLResponse:
    """What this is, and the first call, for somebody who has been given the address and a client."""
    call = (
        f"curl -s -u CLIENT_ID:CLIENT_SECRET {base_url}/oauth2/token -d grant_type=client_credentials\n"
        f'curl -s -H "Authorization: Bearer ACCESS_TOKEN" {base_url}/v1/measures'
    )
    return page(
        "Start here",
        "<h1>Patient safety improvement platform</h1>"
        "<p>Trusts and care homes send rows; the platform turns them into charts that show whether care is "
        "improving, and says when a change is more than chance.</p>"
        '<ul><li><a href="/docs">Reference</a>: every address, what it takes and what it answers</li>'
        '<li><a href="/openapi.json">OpenAPI 3.1</a> and <a href="/asyncapi.json">AsyncAPI 3</a>, for programs</li>'
        '<li><a href="/problems">Problems</a>: what each error means and what to do about it</li></ul>'
        "<h2>A first call</h2>"
        "<p>Whoever runs this installation registers your system as a client and gives you its id and secret. "
        "They buy an access token that is good for ten minutes:</p>"
        f'<pre tabindex="0"><code>{escape(call)}</code></pre>'
        "<p>A client can also prove who it is by signing a JWT with its own key (<code>private_key_jwt</code>); "
        'see <a href="/docs#issue_token">the token address</a>.</p>',
    )


def problem_page(problem: Mapping[str, Any]) -> HTMLResponse:
    """One problem: what it means and what to do."""
    return page(
        problem["title"],
        f"<h1>{escape(problem['title'])}</h1>"
        f'<p class="quiet">Status {problem["status"]}, <code>{escape(problem["type"])}</code></p>'
        f"{paragraphs(problem.get('explanation') or '')}"
        "<p>The <code>detail</code> of the answer says what was wrong that time; <code>errors</code> points at each "
        "place. Quote its <code>request_id</code> when you ask for help.</p>",
    )


def problems_page(problems: Iterable[Mapping[str, Any]]) -> HTMLResponse:
    """Every problem there is."""
    rows = [
        (str(one["status"]), f'<a href="{escape(one["type"])}">{escape(one["title"])}</a>')
        for one in sorted(problems, key=lambda one: (one["status"], one["title"]))
    ]
    return page("Problems", f"<h1>Problems</h1>{table(('Status', 'Problem'), rows)}")


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; nothing where there are no rows. The cells are HTML."""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    whole = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    return whole if body else ""


def paragraphs(text: str) -> str:
    """Text with blank lines between its paragraphs, `code` and **strong** as in Markdown."""
    return "".join(f"<p>{_inline(one)}</p>" for one in text.strip().split("\n\n") if one.strip())


def _inline(text: str) -> str:
    for mark, tag in (("`", "code"), ("**", "strong")):
        parts = (text if mark != "`" else escape(text)).split(mark)
        if len(parts) % 2 == 0:
            parts = [mark.join(parts)]
        text = "".join(f"<{tag}>{part}</{tag}>" if at % 2 else part for at, part in enumerate(parts))
    return text
