"""An API that is nobody's: for HTTP clients without an SDK, and for what providers do seldom."""

from __future__ import annotations

from tests.fake_provider.exchange import BadRequest, Reply, Request, Turn
from tests.fake_provider.jobs import Jobs


class Plain:
    """Everything below ``/plain``; no key is asked for."""

    def __init__(self) -> None:
        self._jobs = Jobs()

    def claims(self, request: Request) -> bool:
        """Its own paths."""
        return request.path.startswith("/plain/")

    def key(self, request: Request) -> str | None:
        """Any, for whoever sends none."""
        return request.headers.get("authorization") or "nobody"

    def headers(self, turn: Turn) -> dict[str, str]:
        """What a server behind a proxy says, with two values of one name."""
        return {"X-Request-Id": turn.ident("", 32), "X-Served-By": "stand-in", "Set-Cookie": f"visit={turn.number}; Path=/"}

    def error(self, status: int, message: str, turn: Turn) -> Reply:
        """The message alone."""
        return Reply.json({"error": message}, status)

    def answer(self, request: Request, turn: Turn) -> Reply:
        """By the last part of the path."""
        match request.path.removeprefix("/plain/"):
            case "echo" | "form" | "file":
                return Reply.json({"answer": turn.answer, "type": request.media_type, "length": len(request.body)})
            case "events":
                return Reply.events((None, {"word": word}) for word in turn.words)
            case "named-events":
                return Reply.events(("word", {"word": word}) for word in turn.words)
            case "text":
                return Reply(f"Zürich {turn.number} {turn.nonce}".encode("latin-1"), "text/plain; charset=iso-8859-1")
            case "moved":
                return Reply(b"", "text/plain", 302, {"Location": f"/plain/landed?number={turn.number}"})
            case "kept":
                # Whoever follows must send the same again (RFC 9110, section 15.4.8).
                return Reply(b"", "text/plain", 307, {"Location": "/plain/echo"})
            case "landed":
                return Reply.json({"answer": turn.answer})
            case "job":
                return self._job(request, turn)
            case other:
                raise BadRequest(f"/plain/{other} is not known to the stand-in.", 404)

    def _job(self, request: Request, turn: Turn) -> Reply:
        ident = request.query.get("id", "")
        return Reply.json({"id": ident, "state": "done" if self._jobs.done(ident) else "running", "answer": turn.answer})
