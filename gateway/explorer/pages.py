"""The pages: a way in, the reference, the problems. Text in, HTML out; everything that is not ours is escaped."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any

import orjson
from fastapi.responses import HTMLResponse

from gateway.openapi import Document, operations
from shared.problems import MEDIA_TYPE

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


def reference(document: Document) -> HTMLResponse:
    """Every operation of the document, by tag, each with its parameters, body and answers."""
    by_tag = sorted(operations(document), key=lambda one: (_tag(one[2]), one[0], one[1]))
    parts = [f"<h1>Reference</h1>{_paragraphs(document['info'].get('description', ''))}"]
    for tag, group in groupby(by_tag, key=lambda one: _tag(one[2])):
        parts.append(f"<h2>{escape(tag)}</h2>")
        parts += [_operation(path, method, operation) for path, method, operation in group]
    return page("Reference", "".join(parts))


def problem_page(problem: Mapping[str, Any]) -> HTMLResponse:
    """One problem: what it means and what to do."""
    return page(
        problem["title"],
        f"<h1>{escape(problem['title'])}</h1>"
        f'<p class="quiet">Status {problem["status"]}, <code>{escape(problem["type"])}</code></p>'
        f"{_paragraphs(problem.get('explanation') or '')}"
        "<p>The <code>detail</code> of the answer says what was wrong that time; <code>errors</code> points at each "
        "place. "
        "Quote its <code>request_id</code> when you ask for help.</p>",
    )


def problems_page(problems: Iterable[Mapping[str, Any]]) -> HTMLResponse:
    """Every problem there is."""
    rows = "".join(
        f'<tr><td>{one["status"]}</td><td><a href="{escape(one["type"])}">{escape(one["title"])}</a></td></tr>'
        for one in sorted(problems, key=lambda one: (one["status"], one["title"]))
    )
    head = '<thead><tr><th scope="col">Status</th><th scope="col">Problem</th></tr></thead>'
    return page("Problems", f'<h1>Problems</h1><div class="scroll"><table>{head}<tbody>{rows}</tbody></table></div>')


def _tag(operation: Document) -> str:
    return str(operation.get("tags", ["Other"])[0]).capitalize()


def _operation(path: str, method: str, operation: Document) -> str:
    scopes = [scope for need in operation.get("security", []) for scope in need.get("oauth2", [])]
    needs = f"Needs the scope <code>{escape(', '.join(scopes))}</code>." if scopes else _open_to(operation)
    return (
        f'<details id="{escape(operation.get("operationId", ""))}"><summary><span class="method">{method}</span> '
        f"<code>{escape(path)}</code> {escape(operation.get('summary', ''))}</summary>"
        f'{_paragraphs(operation.get("description", ""))}<p class="quiet">{needs}</p>'
        f"{_parameters(operation.get('parameters', []))}{_body(operation.get('requestBody'))}"
        f"{_answers(operation.get('responses', {}))}</details>"
    )


def _open_to(operation: Document) -> str:
    return "Open to everyone." if not operation.get("security") else "Any client with a token."


def _parameters(parameters: Iterable[Document]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}"
        f"{', required' if one.get('required') else ''}</td><td>{escape(one.get('description', ''))}</td></tr>"
        for one in parameters
    )
    head = '<thead><tr><th scope="col">Parameter</th><th scope="col">In</th><th scope="col">Meaning</th></tr></thead>'
    return f'<h3>Parameters</h3><div class="scroll"><table>{head}<tbody>{rows}</tbody></table></div>' if rows else ""


def _body(body: Document | None) -> str:
    if not body:
        return ""
    kinds = ", ".join(f"<code>{escape(kind)}</code>" for kind in body.get("content", {}))
    return f"<h3>Body</h3><p>{kinds}</p>{_paragraphs(body.get('description', ''))}{_examples(body.get('content', {}))}"


def _answers(answers: Mapping[str, Document]) -> str:
    rows = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(answer.get('description', ''))}{_problem_links(answer)}"
        f"{_examples(answer.get('content', {}))}</td></tr>"
        for status, answer in answers.items()
    )
    head = '<thead><tr><th scope="col">Status</th><th scope="col">Answer</th></tr></thead>'
    return f'<h3>Answers</h3><div class="scroll"><table>{head}<tbody>{rows}</tbody></table></div>' if rows else ""


def _problem_links(answer: Document) -> str:
    slugs = answer.get("content", {}).get(MEDIA_TYPE, {}).get("examples", {})
    return "".join(f' <a href="/problems/{escape(slug)}">{escape(slug)}</a>' for slug in slugs)


def _examples(content: Mapping[str, Document]) -> str:
    shown = []
    for kind, media in content.items():
        if kind == MEDIA_TYPE:
            continue
        values = [one["value"] for one in media.get("examples", {}).values() if "value" in one]
        values += [media["example"]] if "example" in media else []
        shown += [f'<pre tabindex="0"><code>{escape(_text(value))}</code></pre>' for value in values]
    return "".join(shown)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _paragraphs(text: str) -> str:
    """Text with blank lines between its paragraphs, `code` and **strong** as in Markdown."""
    return "".join(f"<p>{_inline(one)}</p>" for one in text.strip().split("\n\n") if one.strip())


def _inline(text: str) -> str:
    for mark, tag in (("`", "code"), ("**", "strong")):
        parts = (text if mark != "`" else escape(text)).split(mark)
        if len(parts) % 2 == 0:
            parts = [mark.join(parts)]
        text = "".join(f"<{tag}>{part}</{tag}>" if at % 2 else part for at, part in enumerate(parts))
    return text
