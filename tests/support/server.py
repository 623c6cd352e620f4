"""`millrace serve` under test: a server of its own, and calls of its API. Python's standard library only."""

import http.client
import json
import signal
import subprocess
from pathlib import Path

import program


class ApiError(Exception):
    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


class Server:
    """A server on a free port over the home it is given; stop() ends it as SIGTERM does."""

    def __init__(self, home, *options, log=None, **how):
        """Its log goes to the file `log`, else to a pipe, which a server that is asked much may fill; `how` is Popen's."""
        self.process = self.launch(home, *options, log=log, **how)
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(30)
            self.said = self.process.stderr.read() if log is None else Path(log).read_text(encoding="utf-8")[-2000:]
            self.close()
            raise RuntimeError(self.said)
        self.url = json.loads(line)["url"]
        self.port = int(self.url.rsplit(":", 1)[1])
        self.connection = None

    @staticmethod
    def launch(home, *options, log=None, **how):
        """The process, not yet ready."""
        command = [*how.pop("before", ()), program.MILLRACE, "serve", "--listen", "127.0.0.1:0", "--json", "--home", home, *options]
        if log is None:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
        with open(log, "ab") as file:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True, **how)

    def close(self):
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()

    def kill(self):
        """As a crash does."""
        self.process.kill()
        self.process.wait()
        self.close()
        self.drop_connection()

    def drop_connection(self):
        """The next call makes another one."""
        if self.connection:
            self.connection.close()
            self.connection = None

    def stop(self, number=signal.SIGTERM):
        """The exit code, once it has ended."""
        self.drop_connection()
        self.process.send_signal(number)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self.close()

    def call(self, operation, **parameters):
        if not self.connection:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=70)
        self.connection.request("POST", "/", json.dumps(parameters), {
            "X-Amz-Target": "AWSStepFunctions." + operation, "Content-Type": "application/x-amz-json-1.0"})
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise ApiError(response.status, answer["__type"], answer["message"])
        return answer
