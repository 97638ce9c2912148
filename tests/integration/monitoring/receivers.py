"""Who receives what the scheduler sends: a collector of traces, and a client of the endpoint."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Collector:
    """An OpenTelemetry collector on the loopback: it keeps the spans that it is sent."""

    url: str = ""
    status: int = 200
    headers: list[dict[str, str]] = field(default_factory=list)
    spans: list[Any] = field(default_factory=list)
    resource: dict[str, str] = field(default_factory=dict)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        self.headers.append({"path": path, **headers})
        if self.status != 200:
            return self.status
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for attribute in of_resource.resource.attributes:
                self.resource[attribute.key] = _plain(attribute.value)
            for scope in of_resource.scope_spans:
                self.spans.extend(scope.spans)
        return 200

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


def attributes_of(span: Any) -> dict[str, Any]:
    """Return the attributes of a span as plain values."""
    return {attribute.key: _plain(attribute.value) for attribute in span.attributes}


def _plain(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


@contextlib.contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector."""
    collector = Collector()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if headers.get("content-encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            self.send_response(collector.take(self.path, headers, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Reply:
    """What the endpoint answered."""

    status: int
    headers: dict[str, str]
    text: str


def ask(
    address: tuple[str, int], path: str = "/metrics", method: str = "GET", **headers: str
) -> Reply:
    """Ask the endpoint as a client of its own kind would."""
    connection = http.client.HTTPConnection(*address, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        text = response.read().decode()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, found, text)
    finally:
        connection.close()
