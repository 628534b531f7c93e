"""OpenFaaS's python3-http contract, served with the standard library alone.

The watchdog starts this as its child: PORT says where to listen (on loopback), `handler` names the folder that holds
handler.py with `def handle(event, context)`. Every connection has a thread of its own.
Not here: deadlines, limits, the access log (the watchdog's server).
"""

import http.server
import importlib
import json
import os
import signal
import socket
import socketserver
import sys
import threading
import traceback
import types
import urllib.parse


# What the watchdog, too, holds of a body in memory.
MAX_BODY_BYTES = 256 * 2**20


class Event:
    """The request, read whole."""

    def __init__(self, body, headers, method, query, path):
        self.body = body  # bytes, as the caller sent them
        self.headers = headers  # a name is found in any case
        self.method = method
        self.query = query
        self.path = path  # decoded, without the query


class Query(dict):
    """A name has its first value; getlist has them all."""

    def __init__(self, text):
        self._all = urllib.parse.parse_qs(text, keep_blank_values=True)
        super().__init__((name, values[0]) for name, values in self._all.items())

    def getlist(self, name):
        return self._all.get(name, [])


class Context:
    def __init__(self):
        self.hostname = socket.gethostname()


class BadRequest(Exception):
    """The request is at fault; the text is for the caller."""

    status = 400


class BodyTooLarge(BadRequest):
    status = 413

    def __init__(self):
        super().__init__(f"the body is larger than {MAX_BODY_BYTES} bytes")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together, at flush

    def answer(self):
        with self.server.running():
            try:
                path, _, query = self.path.partition("?")
                event = Event(self.read_body(), self.headers, self.command, Query(query), urllib.parse.unquote(path))
            except BadRequest as error:
                self.close_connection = True  # nobody knows where the next request would begin
                self.send(error.status, *error_answer("bad_request", str(error)))
                while self.rfile.read(65536):
                    pass  # closed on what is still being sent, the connection would lose the answer
                return
            try:
                answer = encode(self.server.handle_call(event, Context()))
            except Exception:
                log_failure("the handler failed", self.headers.get("X-Call-Id", ""))
                answer = 500, *error_answer("function_failed", "the function failed; its log says how")
            self.send(*answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def read_body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(self.read_chunks())
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            raise BadRequest("Content-Length is no number")
        if int(length) > MAX_BODY_BYTES:
            raise BodyTooLarge
        return self.read_exactly(int(length))

    def read_chunks(self):
        total = 0
        while True:
            try:
                size = int(self.rfile.readline(1024).split(b";")[0], 16)
            except ValueError:
                raise BadRequest("a chunk has no length") from None
            if size == 0:
                break
            total += size
            if total > MAX_BODY_BYTES:
                raise BodyTooLarge
            yield self.read_exactly(size)
            self.read_exactly(2)  # the line's end
        while self.rfile.readline(65536).strip():
            pass  # trailers

    def read_exactly(self, size):
        read = self.rfile.read(size)
        if len(read) < size:
            raise BadRequest("the body ended early")
        return read

    def send(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_arguments):
        """Nothing: the watchdog writes the access log."""


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    # Connections that wait for a next request do not hold up the end; drain waits for the calls.
    daemon_threads = True
    block_on_close = False

    def __init__(self, port, handle_call):
        super().__init__(("127.0.0.1", port), Handler)
        self.handle_call = handle_call
        self._running = 0
        self._changed = threading.Condition()

    def server_bind(self):
        # HTTPServer's own asks the name service for its host's full name, which can take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address

    def running(self):
        return Running(self)

    def count(self, difference):
        with self._changed:
            self._running += difference
            self._changed.notify_all()

    def drain(self):
        self.shutdown()
        self.server_close()
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0)

    def handle_error(self, _request, _address):
        # A caller that went away is nobody's failure.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            log_failure("the connection failed", "")


class Running:
    """Counts a call while it runs."""

    def __init__(self, server):
        self._server = server

    def __enter__(self):
        self._server.count(1)

    def __exit__(self, *_exception):
        self._server.count(-1)


ANSWER_KEYS = {"statusCode", "body", "headers"}
FRAMING = {"content-length", "transfer-encoding", "connection"}


def encode(result):
    """What the handler returned, as status, headers (pairs), body (bytes). Raises what is wrong with it."""
    status, headers = 200, []
    if isinstance(result, dict) and ANSWER_KEYS & result.keys():
        status = result.get("statusCode", 200)
        headers = result.get("headers") or []
        result = result.get("body")
    elif isinstance(result, tuple):
        result, *rest = result
        for part in rest:
            if isinstance(part, int):
                status = part
            else:
                headers = part
    body, content_type = encode_body(result)
    pairs = [(str(name), str(value)) for name, value in (headers.items() if hasattr(headers, "items") else headers)]
    if content_type and all(name.lower() != "content-type" for name, _ in pairs):
        pairs.append(("Content-Type", content_type))
    if not 200 <= int(status) <= 599:
        raise ValueError(f"the handler answered with status {status}; expected 200 to 599")
    for name, value in pairs:
        if set("\r\n") & set(name + value) or not name.isascii():
            raise ValueError(f"the header {name!r} cannot be sent")
        value.encode("latin-1")
    return int(status), [pair for pair in pairs if pair[0].lower() not in FRAMING], body


def encode_body(body):
    if body is None:
        return b"", None
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body), "application/octet-stream"
    if isinstance(body, str):
        return body.encode(), "text/plain; charset=utf-8"
    return json.dumps(body).encode(), "application/json"


def error_answer(code, message):
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return [("Content-Type", "application/json"), ("X-OpenFaaS-Internal", "of-watchdog")], body


def log_failure(what, call_id):
    """One write, so that the lines of two calls do not mix."""
    name = f" [{call_id}]" if call_id else ""
    sys.stderr.write(f"{what}{name}: {traceback.format_exc()}")
    sys.stderr.flush()


def load(folder):
    """handler.handle of the folder, whose files may import each other plainly or relatively, as in OpenFaaS's image."""
    if not os.path.isfile(os.path.join(folder, "handler.py")):
        raise SystemExit(f"{folder}: no handler.py found")
    sys.dont_write_bytecode = True  # the folder is the author's
    package = types.ModuleType("function")
    package.__path__ = [folder]
    sys.modules["function"] = package
    sys.path.insert(0, folder)
    try:
        module = importlib.import_module("function.handler")
    except ModuleNotFoundError as error:
        listed = os.path.join(folder, "requirements.txt")
        how = f"; install what the function needs: pip install -r {listed}" if os.path.isfile(listed) else ""
        raise SystemExit(f"{folder}/handler.py: {error}{how}") from None
    except SyntaxError as error:
        raise SystemExit(f"{error.filename}:{error.lineno}: SyntaxError: {error.msg}") from None
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise SystemExit(f"{place.filename}:{place.lineno}: {type(error).__name__}: {error}") from None
    if not callable(getattr(module, "handle", None)):
        raise SystemExit(f"{folder}/handler.py: expected `def handle(event, context):`")
    return module.handle


def main():
    sys.stdout.reconfigure(line_buffering=True)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    server = Server(int(os.environ["PORT"]), load(os.environ["handler"]))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    stop.wait()
    server.drain()
    sys.stdout.flush()
    os._exit(0)  # threads the handler left behind do not hold up the end


if __name__ == "__main__":
    main()
