#!/usr/bin/env python3
"""Lambda's API over HTTP, through `millrace serve`.

Usage: lambda_api.py MILLRACE
"""

import base64
import http.client
import json
import sys
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import Server  # noqa: E402

FUNCTIONS = {
    "echo": "def handler(event, context):\n    print('seen', event)\n    return event\n",
    "fail": "def handler(event, context):\n    raise ValueError('no')\n",
}
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"


class LambdaApi(Case):
    def setUp(self):
        super().setUp()
        for name, source in FUNCTIONS.items():
            folder = self.home / "functions" / name
            folder.mkdir(parents=True)
            (folder / "handler.py").write_text(source, encoding="utf-8")
        self.server = Server(self.home)
        self.addCleanup(self.server.stop)

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request(method, "/2015-03-31/functions" + path, body,
                           {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, response.headers, json.loads(text) if text else None

    def test_invoke(self):
        status, headers, answer = self.ask("POST", "/echo/invocations", '{"n": 1}', X_Amz_Log_Type="Tail")
        self.assertEqual((status, answer, headers["X-Amz-Executed-Version"]), (200, {"n": 1}, "$LATEST"))
        self.assertIn("seen {'n': 1}", base64.b64decode(headers["X-Amz-Log-Result"]).decode())
        status, _, answer = self.ask("POST", "/" + urllib.parse.quote(ARN + "echo:live", safe="") + "/invocations")
        self.assertEqual((status, answer), (200, {}))
        status, headers, answer = self.ask("POST", "/fail/invocations", "{}")
        self.assertEqual((status, headers["X-Amz-Function-Error"], answer["errorType"]), (200, "Unhandled", "ValueError"))
        status, headers, answer = self.ask("POST", "/nobody/invocations", "{}")
        self.assertEqual((status, headers["x-amzn-ErrorType"]), (404, "ResourceNotFoundException"))
        self.assertEqual(answer["Message"], f"Function not found: {ARN}nobody:$LATEST")
        self.assertEqual(self.ask("POST", "/echo/invocations", "{", )[1]["x-amzn-ErrorType"], "InvalidRequestContentException")
        self.assertEqual(self.ask("POST", "/echo/invocations", "{}", X_Amz_Invocation_Type="Event")[0], 202)
        self.assertEqual(self.ask("POST", "/echo/invocations", "{}", X_Amz_Invocation_Type="DryRun")[0], 204)
        self.assertEqual(self.ask("POST", "/nobody/invocations", "{}", X_Amz_Invocation_Type="Event")[0], 404)
        self.assertEqual(self.ask("POST", "/..%2Fecho/invocations", "{}")[0], 400)

    def test_get_and_list(self):
        status, _, answer = self.ask("GET", "/echo")
        self.assertEqual((status, answer["Configuration"]["FunctionArn"]), (200, ARN + "echo"))
        self.assertEqual(self.ask("GET", "/echo/configuration")[2]["Handler"], "handler.handler")
        self.assertEqual(self.ask("GET", "/nobody")[0], 404)
        self.assertEqual([f["FunctionName"] for f in self.ask("GET", "/")[2]["Functions"]], ["echo", "fail"])
        page = self.ask("GET", "/?MaxItems=1")[2]
        self.assertEqual(([f["FunctionName"] for f in page["Functions"]], page["NextMarker"]), (["echo"], "echo"))
        page = self.ask("GET", "/?MaxItems=1&Marker=echo")[2]
        self.assertEqual([f["FunctionName"] for f in page["Functions"]], ["fail"])
        self.assertNotIn("NextMarker", page)
        self.assertEqual(self.ask("GET", "/?MaxItems=x")[0], 400)
        self.assertEqual(self.ask("DELETE", "/echo")[0], 404)

    def test_web_pages_are_refused(self):
        self.assertEqual(self.ask("POST", "/echo/invocations", "{}", Origin="http://example.org")[0], 403)


if __name__ == "__main__":
    program.main()
