"""moto's S3 on a loopback port, with one lock around all that writes.

moto itself compares and writes without a lock, so two creators of one key may both win; real stores have one winner, and
Varve refuses a store that has not. Usage: python moto_store.py PORT
"""
import io
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple


class OneWriterAtATime:
    def __init__(self, application):
        self.application = application
        self.lock = threading.Lock()

    def __call__(self, environment, start_response):
        if environment["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self.application(environment, start_response)
        # The body is taken before the lock, so that a slow client holds up nobody.
        is_whole = environment.get("wsgi.input_terminated")  # Chunked: the server itself ends it.
        body = environment["wsgi.input"].read(-1 if is_whole else int(environment.get("CONTENT_LENGTH") or 0))
        environment["wsgi.input"] = io.BytesIO(body)
        with self.lock:
            return list(self.application(environment, start_response))


if __name__ == "__main__":
    application = DomainDispatcherApplication(create_backend_app)
    run_simple("127.0.0.1", int(sys.argv[1]), OneWriterAtATime(application), threaded=True, request_handler=MotoRequestHandler)
