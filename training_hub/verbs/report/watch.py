"""Serve the page on this machine alone, and keep it up to date."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from training_hub.errors import ConfigError, HubError, fault
from training_hub.results.foreign import log_in
from training_hub.results.state import runs_in
from training_hub.verbs.report.gather import gather
from training_hub.verbs.report.page import page, part

_HOST = "127.0.0.1"


def serve(folders: Sequence[str], port: int) -> int:
    """Serve the page until Ctrl-C. ConfigError where the port is taken."""
    with server(folders, port) as running:
        print(f"http://{_HOST}:{running.server_port}/  (Ctrl-C ends it)", flush=True)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def server(folders: Sequence[str], port: int) -> ThreadingHTTPServer:
    """A server that listens already. ConfigError where the port is taken."""

    class Handler(_Handler):
        shown = tuple(folders)

    try:
        return _Server((_HOST, port), Handler)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        rule = "is taken" if taken else f"cannot be used ({error.strerror})"
        raise ConfigError(fault("port", port, rule, "choose another, or port=0 for any that is free")) from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a browser that keeps its connection open ends nothing late


class _Handler(BaseHTTPRequestHandler):
    """`/` is the page, `/part` the same without its libraries, `/version` changes when something has changed."""

    shown: tuple[str, ...]

    def do_GET(self) -> None:
        """Answer, if the page was asked for under this machine's own name: other names may be somebody's trap."""
        make = _ANSWERS.get(self.path)
        if self.headers.get("Host", "").rpartition(":")[0] not in (_HOST, "localhost"):
            self.send_error(HTTPStatus.FORBIDDEN)
        elif make is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            try:
                self._send(make(self.shown))
            except (HubError, OSError, ValueError) as error:  # a file is being replaced, or has gone
                self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, explain=str(error))

    def _send(self, text: str) -> None:
        body = text.encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name that the base class gives it
        """Say nothing of requests."""


def version(folders: Sequence[str]) -> str:
    """A text that is another one when anything of what the page tells has changed."""
    places = [Path(folder).expanduser() for folder in folders]
    runs = [run for place in places for run in runs_in(place)]
    files = [file for run in runs for file in (run.metrics, run.samples, run.manifest, run.result, run.stop)]
    files += [file for place in places if (file := log_in(place))]
    stamps = [(str(file), stat.st_mtime_ns, stat.st_size) for file in files if (stat := _stat(file))]
    told = repr((stamps, [run.is_held() for run in runs]))
    return hashlib.sha256(told.encode()).hexdigest()


def _stat(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:  # not there, or not any more
        return None


_ANSWERS: Mapping[str, Callable[[Sequence[str]], str]] = {
    "/": lambda folders: page(gather(folders), live=True),
    "/part": lambda folders: part(gather(folders)),
    "/version": version,
}
