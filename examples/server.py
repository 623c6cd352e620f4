"""`millrace serve` as the examples start and ask it. Python's standard library only."""

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

MILLRACE = os.environ.get("MILLRACE", str(Path(__file__).resolve().parent / "../build/release/bin/millrace"))


class Server:
    """A server over a home, on a free port, until the end of the `with` block."""

    def __init__(self, home, *options):
        self.log = home / "serve.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([MILLRACE, "serve", "--home", str(home), "--listen", "127.0.0.1:0", "--json", *options],
                                            stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"the server did not start; its log: {self.log}")
        self.port = int(json.loads(line)["url"].rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def ask(self, method, path, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read().decode()
        if response.status != 200:
            sys.exit(f"{path} {headers}: {response.status} {text}")
        return text

    def call(self, target, **parameters):
        """An operation of AWS's JSON protocol: call("AWSEvents.PutRule", Name="r", …)."""
        return json.loads(self.ask("POST", "/", json.dumps(parameters),
                                   {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}) or "{}")
