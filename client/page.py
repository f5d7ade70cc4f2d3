"""The person's own page, on loopback alone: lists with reasons, interests, what left, switches. Nothing from elsewhere.

Plain HTML; htmx (htmx.org, Zero-Clause BSD), which lies beside this file, spares the reloads where scripts are allowed.

Who may look: whoever has the token, which lies in the device's folder. A first visit trades it for a cookie. Every form
carries a second token, and the Host header must be this machine's, so that no page of others can read or act here.
"""

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from jinja2 import Environment, FunctionLoader, select_autoescape
from pydantic import ValidationError

from penchant.client.person import Person
from penchant.client.preferences import Preferences, read_age_limits
from penchant.errors import BadInput, PenchantError
from penchant.types import Kind

_COOKIE: Final = "penchant"
_FORM_LIMIT: Final = 20_000
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SHOWN: Final = 10
_EVENTS: Final = 200


def page_app(person: Person, *, token: str) -> FastAPI:
    """The page as an ASGI application, to be served on 127.0.0.1 only."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    page = _Page(person, token)
    app.middleware("http")(page.guard)
    app.get("/", response_class=HTMLResponse)(page.show)
    app.get("/page.css")(page.style)
    app.get("/htmx.js")(page.script)
    app.get("/export.json")(page.export)
    app.post("/do")(page.act)
    return app


class _Page:
    def __init__(self, person: Person, token: str) -> None:
        self._person, self._token = person, token
        self._form_token = hmac.new(token.encode(), b"form", hashlib.sha256).hexdigest()
        environment = Environment(
            loader=FunctionLoader(_packaged),
            autoescape=select_autoescape(default=True),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["day"] = lambda at: datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        self._template = environment.get_template("page.html")

    async def guard(self, request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        """Host, token, origin: in this order, before anything is looked up."""
        refusal = self._refused(request)
        response = refusal if refusal is not None else await answer(request)
        if response.status_code > 400 and "hx-request" in request.headers:
            response.headers["HX-Refresh"] = "true"  # an old page is loaded anew
        response.headers.update(_HEADERS)
        return response

    def _refused(self, request: Request) -> Response | None:
        port = request.scope["server"][1]
        if request.headers.get("host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            return PlainTextResponse("this page is for this machine alone", 421)
        offered = request.query_params.get("token")
        if offered is not None and request.url.path == "/" and _equal(offered, self._token):
            response = RedirectResponse("/", 303)
            response.set_cookie(_COOKIE, self._token, httponly=True, samesite="strict", path="/")
            return response
        if not _equal(request.cookies.get(_COOKIE, ""), self._token):
            return PlainTextResponse("open the address that `penchant client agent` printed", 403)
        origin = request.headers.get("origin")
        if origin not in (None, f"http://{request.headers['host']}"):
            return PlainTextResponse("another page may not act here", 403)
        return None

    def show(self, said: str = "") -> HTMLResponse:
        return HTMLResponse(self._render(SAID.get(said, ""), after=said))

    def style(self) -> Response:
        return Response(_packaged("page.css"), media_type="text/css")

    def script(self) -> Response:
        return Response(_packaged("htmx-2.0.4.min.js"), media_type="text/javascript")

    def export(self) -> Response:
        content = json.dumps(self._person.export(), indent=1, ensure_ascii=False)
        disposition = {"Content-Disposition": 'attachment; filename="penchant-export.json"'}
        return Response(content, media_type="application/json", headers=disposition)

    async def act(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > _FORM_LIMIT:
            return PlainTextResponse("this form is too long", 413)
        form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        if not _equal(form.get("form_token", [""])[0], self._form_token):
            return PlainTextResponse("this form is not from this page; load it again", 403)
        try:
            return self._done(form.get("act", [""])[0], form)
        except (PenchantError, ValidationError, ValueError) as error:
            return HTMLResponse(self._render(f"Nothing was changed: {error}"), 400)

    def _done(self, act: str, form: dict[str, list[str]]) -> Response:
        person = self._person
        if act in ("join", "leave"):
            person.take_part(act == "join")
        elif act == "choose":
            person.prefer(_preferences(form))
        elif act == "forget":
            person.forget(int(form["event"][0]))
        elif act == "erase":
            if form.get("sure", [""])[0] != "yes":
                raise BadInput("tick the box to say that you are sure")
            return HTMLResponse(self._erased(person.erase()))
        else:
            raise BadInput(f"{act!r} is nothing that this page does")
        return RedirectResponse(f"/?said={act}", 303)

    def _erased(self, told: list[str]) -> str:
        return self._template.render(erased=told)

    def _render(self, said: str, *, after: str = "") -> str:
        person = self._person
        facts, chosen = person.facts(), person.preferences()
        events = person.events()
        shown: dict[str, Any] = {"lines": (), "interests": (), "categories": (), "no_model": ""}
        try:
            shown |= {
                "lines": person.suggest(_SHOWN),
                "interests": [one for one in person.interests() if one.strength > 0][:_SHOWN],
                "categories": person.categories(),
            }
            titles = {one.id: person.title(one.event.item) for one in events[-_EVENTS:]}
        except PenchantError as error:
            shown["no_model"] = str(error)
            titles = {one.id: one.event.item for one in events[-_EVENTS:]}
        return self._template.render(
            **shown,
            said=said,
            after=after,
            facts=facts,
            chosen=chosen,
            kinds=list(Kind),
            events=events[: -_EVENTS - 1 : -1],
            n_events=len(events),
            titles=titles,
            form_token=self._form_token,
        )


SAID: Final = {
    "join": "You take part in training now.",
    "leave": "You no longer take part. Nothing more is trained or sent.",
    "choose": "Your choices are saved, and count from now on.",
    "forget": "The event is forgotten.",
}


def _preferences(form: dict[str, list[str]]) -> Preferences:
    age, days = (form.get(name, [""])[0].strip() for name in ("age", "days"))
    return Preferences(
        kinds=frozenset(Kind(kind) for kind in form.get("kind", [])),
        blocked_categories=frozenset(form.get("block", [])),
        age=int(age) if age else None,
        age_limits=read_age_limits(form.get("limits", [""])[0].splitlines()),
        retention_days=int(days) if days else None,
    )


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _packaged(name: str) -> str:
    return (files("penchant.client") / name).read_text(encoding="utf-8")
