#!/usr/bin/env python3
"""People who approve: questions by mail and webhook, their pages, the inbox, the command line, crashes.

Usage: approvals.py MILLRACE [CASE...]
"""

import http.client
import json
import re
import socketserver
import sqlite3
import sys
import threading
import time
import urllib.parse
from email import message_from_string
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from integrations import Web  # noqa: E402
from program import Case  # noqa: E402
from server import Server  # noqa: E402

TOPIC = "arn:aws:sns:us-east-1:123456789012:approvals"
ROLE = "arn:aws:iam::123456789012:role/r"


class Mailbox(socketserver.ThreadingTCPServer):
    """An SMTP server on a free port that keeps what it gets: (to, message)."""

    allow_reuse_address = daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            to = ""
            while line := self.rfile.readline().decode().strip():
                if line.upper().startswith("RCPT TO:"):
                    to = line[8:].strip("<> ")
                if line.upper() == "DATA":
                    self.wfile.write(b"354 go on\r\n")
                    text = ""
                    while (part := self.rfile.readline().decode()) != ".\r\n":
                        text += part.removeprefix(".")
                    self.server.mails.append((to, message_from_string(text)))
                self.wfile.write(b"221 bye\r\n" if line.upper() == "QUIT" else b"250 fine\r\n")

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.mails = []
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


def definition(**message):
    """Asks, and says what was answered."""
    return {"StartAt": "Ask", "States": {
        "Ask": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish.waitForTaskToken", "Next": "Which?",
                "Parameters": {"TopicArn": TOPIC, "Subject": "Deploy churn?", "Message": {
                    "TaskToken.$": "$$.Task.Token", "Text": "AUC rose to 0.91 & <more>.", "auc": 0.91, **message}}},
        "Which?": {"Type": "Choice", "Default": "No", "Choices": [{"Variable": "$.Status", "StringEquals": "Approved", "Next": "Yes"}]},
        "Yes": {"Type": "Pass", "End": True}, "No": {"Type": "Fail", "Error": "Rejected", "CausePath": "$.Reason"}}}


class ApprovalCase(Case):
    def setUp(self):
        super().setUp()
        self.home.mkdir()
        self.box = Mailbox()
        self.addCleanup(self.box.server_close)
        self.addCleanup(self.box.shutdown)
        (self.home / "integrations.json").write_text(json.dumps({
            "smtp": {"host": "127.0.0.1", "port": self.box.port, "from": "millrace@example.com", "tls": "none"}}), encoding="utf-8")
        self.serve()
        self.addCleanup(lambda: self.server.stop())
        self.sns("CreateTopic", Name="approvals", **{"Attributes.entry.1.key": "ApprovalLinks", "Attributes.entry.1.value": "true"})

    def serve(self):
        self.server = Server(self.home)

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, response.headers, text

    def sns(self, action, **parameters):
        status, _, text = self.ask("POST", "/", urllib.parse.urlencode({"Action": action, "Version": "2010-03-31", **parameters}),
                                   Content_Type="application/x-www-form-urlencoded")
        self.assertEqual(status, 200, text)
        return text

    def subscribe(self, protocol, endpoint):
        self.sns("Subscribe", TopicArn=TOPIC, Protocol=protocol, Endpoint=endpoint)

    def start(self, states=None, name="m"):
        machine = self.server.call("CreateStateMachine", name=name, roleArn=ROLE, definition=json.dumps(states or definition()))["stateMachineArn"]
        return self.server.call("StartExecution", stateMachineArn=machine, input="{}")["executionArn"]

    def ended(self, execution):
        self.wait_for(lambda: self.server.call("DescribeExecution", executionArn=execution)["status"] != "RUNNING", "the end of the execution")
        return self.server.call("DescribeExecution", executionArn=execution)

    def pending(self, count=1):
        def found():
            return json.loads(self.ask("GET", "/v1/approvals?status=Pending")[2])["Approvals"]
        self.wait_for(lambda: len(found()) == count, "the question")
        return found()

    def mail(self):
        """The text of the next mail, its recipient, and its two links as paths."""
        self.wait_for(lambda: self.box.mails, "a mail")
        to, message = self.box.mails.pop(0)
        text = message.get_payload(decode=True).decode()
        links = re.findall(r"http://[^/\s]+(/\S+)", text)
        self.assertEqual(len(links), 2, text)
        return text, to, links

    def send(self, link, decision, **fields):
        """What the page of a link sends."""
        path, query = link.split("?", 1)
        token = urllib.parse.parse_qs(query)["token"][0]
        return self.ask("POST", path, urllib.parse.urlencode({"token": token, "decision": decision, **fields}),
                        Content_Type="application/x-www-form-urlencoded")


class Links(ApprovalCase):
    def test_by_mail(self):
        self.subscribe("email", "ada@example.com")
        execution = self.start()
        text, to, (approve, reject) = self.mail()
        self.assertEqual(to, "ada@example.com")
        self.assertIn("AUC rose to 0.91 & <more>.", text)
        self.assertIn("auc: 0.91", text)
        approval = self.pending()[0]
        token = sqlite3.connect(f"file:{self.home}/tasks.db?mode=ro", uri=True).execute(
            "SELECT json_extract(document, '$.Millrace.TaskToken') FROM record WHERE kind = 'Approval'").fetchone()[0]
        self.assertGreater(len(token), 20)
        self.assertNotIn(token, text + json.dumps(approval))
        # A program that follows every link decides nothing.
        for link in (approve, reject, approve):
            status, headers, page = self.ask("GET", link)
            self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
            self.assertIn("&lt;more&gt;", page)
            self.assertNotIn("<script", page)
            self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")
        self.assertEqual(self.ask("HEAD", approve)[0], 200)
        self.assertEqual(self.server.call("DescribeExecution", executionArn=execution)["status"], "RUNNING")
        for broken in (approve.replace("token=1", "token=2"), approve.replace("&", "0&"), approve[:approve.index("?")] + "?token=1.2.3",
                       approve.replace(approval["ApprovalId"], "0" * 20)):
            self.assertEqual(self.ask("GET", broken)[0], 403, broken)
            self.assertEqual(self.send(broken, "approve")[0], 403)
        self.assertEqual(self.send(approve, "maybe")[0], 400)
        status, _, page = self.send(approve, "approve", reason="it is \"good\"")
        self.assertEqual(status, 200)
        self.assertIn("<strong>Approved.</strong>", page)
        done = self.ended(execution)
        self.assertEqual(done["status"], "SUCCEEDED")
        output = json.loads(done["output"])
        self.assertEqual({name: output[name] for name in ("Status", "DecidedBy", "DecidedVia", "Reason", "ApprovalId")},
                         {"Status": "Approved", "DecidedBy": "ada@example.com", "DecidedVia": "a link sent to ada@example.com",
                          "Reason": "it is \"good\"", "ApprovalId": approval["ApprovalId"]})
        self.assertRegex(output["DecidedAt"], r"^20\d\d-.*Z$")
        # Once.
        status, _, page = self.send(reject, "reject")
        self.assertEqual(status, 409)
        self.assertIn("decided already: Approved by ada@example.com", page)
        self.assertIn("<strong>Approved.</strong>", self.ask("GET", approve)[2])
        self.assertEqual(json.loads(self.ask("GET", "/v1/approvals?status=Pending")[2]), {"Approvals": []})

    def test_by_webhook(self):
        web = Web()
        self.addCleanup(web.stop)
        self.subscribe("http", web.url + "/services/T0/B0/secret")
        execution = self.start()
        self.wait_for(lambda: web.requests, "the webhook")
        method, path, headers, body = web.requests[0]
        self.assertEqual((method, path, headers["Content-Type"]), ("POST", "/services/T0/B0/secret", "application/json"))
        said = json.loads(body)
        self.assertIn("*Deploy churn?*\nAUC rose to 0.91 &amp; &lt;more&gt;.", said["text"])
        self.assertIn(f"<{said['approval']['reject_url']}|Reject>", said["text"])
        self.assertEqual(said["approval"]["details"], {"auc": 0.91})
        reject = said["approval"]["reject_url"].split(str(self.server.port), 1)[1]
        self.assertNotIn("secret", urllib.parse.unquote(reject))
        self.assertIn("Your name", self.ask("GET", reject)[2])
        self.assertEqual(self.send(reject, "reject")[0], 400)  # nobody said who
        self.assertEqual(self.send(reject, "reject", name="Grace\r\n", reason="too slow")[0], 200)
        done = self.ended(execution)
        self.assertEqual((done["status"], done["error"], done["cause"]), ("FAILED", "Rejected", "too slow"))
        approval = json.loads(self.ask("GET", "/v1/approvals")[2])["Approvals"][0]
        self.assertEqual((approval["DecidedBy"], approval["DecidedVia"]), ("Grace", f"a link sent to webhook 127.0.0.1:{web.port}"))

    def test_links_expire(self):
        self.server.stop()
        settings = json.loads((self.home / "integrations.json").read_text(encoding="utf-8"))
        settings["approvals"] = {"base_url": "https://millrace.example.com/", "valid_hours": 1}
        (self.home / "integrations.json").write_text(json.dumps(settings), encoding="utf-8")
        self.serve()
        self.subscribe("email", "ada@example.com")
        self.start()
        self.wait_for(lambda: self.box.mails, "a mail")
        text = self.box.mails[0][1].get_payload(decode=True).decode()
        link = re.search(r"https://millrace\.example\.com(/v1/approvals/\S+)", text).group(1)
        self.assertEqual(self.ask("GET", link)[0], 200)
        token = urllib.parse.parse_qs(link.split("?", 1)[1])["token"][0]
        expiry, recipient, mac = token.split(".")
        self.assertLess(abs(int(expiry) - time.time() - 3600), 60)
        self.assertEqual(bytes.fromhex(recipient).decode(), "ada@example.com")
        # Its end is part of what is signed.
        self.assertEqual(self.ask("GET", link.replace(expiry, str(int(expiry) + 9999)))[0], 403)

    def test_other_topics_stay_as_they_are(self):
        web = Web()
        self.addCleanup(web.stop)
        self.sns("CreateTopic", Name="plain")
        self.sns("Subscribe", TopicArn=TOPIC.replace("approvals", "plain"), Protocol="http", Endpoint=web.url)
        self.start(json.loads(json.dumps(definition()).replace(":approvals", ":plain")))
        self.wait_for(lambda: web.requests, "the webhook")
        envelope = json.loads(web.requests[0][3])
        self.assertIn("TaskToken", json.loads(envelope["Message"]))
        self.assertEqual(json.loads(self.ask("GET", "/v1/approvals")[2]), {"Approvals": []})


class Inbox(ApprovalCase):
    def decide(self, approval, status=200, **body):
        got, _, text = self.ask("POST", "/v1/approvals/" + approval["ApprovalId"], json.dumps(body), Content_Type="application/json")
        self.assertEqual(got, status, text)
        return json.loads(text)

    def test_json(self):
        execution = self.start()
        approval = self.pending()[0]
        self.assertEqual((approval["Subject"], approval["Details"], approval["Status"]), ("Deploy churn?", {"auc": 0.91}, "Pending"))
        self.assertEqual(approval["ExecutionArn"], execution)
        self.assertLess(abs(approval["CreationTime"] - time.time()), 60)
        self.assertEqual(json.loads(self.ask("GET", "/v1/approvals/" + approval["ApprovalId"])[2]), approval)
        self.assertEqual(self.decide(approval, 400, decision="perhaps")["__type"], "ValidationException")
        self.assertEqual(self.ask("POST", "/v1/approvals/" + approval["ApprovalId"], '{"decision": "approve"}', Content_Type="text/plain")[0], 415)
        self.assertEqual(self.ask("GET", "/v1/approvals/0123")[0], 404)
        self.assertEqual(self.decide(approval, 400, decision="approve", reason="x" * 2001)["__type"], "ValidationException")
        decided = self.decide(approval, decision="approve", reason="fine")
        self.assertEqual((decided["Status"], decided["DecidedVia"]), ("Approved", "the API"))
        self.assertEqual(self.ended(execution)["status"], "SUCCEEDED")
        self.assertEqual(self.decide(approval, 409, decision="reject")["__type"], "ApprovalNotPending")

    def test_nobody_waits_any_more(self):
        execution = self.start()
        approval = self.pending()[0]
        self.server.call("StopExecution", executionArn=execution)
        self.ended(execution)
        self.assertIn("nobody waits for this any more", self.decide(approval, 409, decision="approve")["message"])
        self.assertEqual(json.loads(self.ask("GET", "/v1/approvals/" + approval["ApprovalId"])[2])["Status"], "Void")
        # The inbox does not show what has ended, nor keep what a state's timeout left behind from being refused.
        execution = self.start(name="m2")
        self.pending()
        self.server.call("StopExecution", executionArn=execution)
        self.ended(execution)
        self.assertEqual(json.loads(self.ask("GET", "/v1/approvals?status=Pending")[2]), {"Approvals": []})
        states = definition()
        states["States"]["Ask"].update(TimeoutSeconds=1, Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "Rest"}])
        states["States"]["Rest"] = {"Type": "Wait", "Seconds": 60, "End": True}
        execution = self.start(states, name="m3")
        approval = self.pending()[0]
        time.sleep(1.5)
        self.assertIn("nobody waits", self.decide(approval, 409, decision="approve")["message"])
        self.server.call("StopExecution", executionArn=execution)

    def test_a_model_package(self):
        def sm(operation, **request):
            status, _, text = self.ask("POST", "/", json.dumps(request), X_Amz_Target="SageMaker." + operation, Content_Type="application/x-amz-json-1.1")
            self.assertEqual(status, 200, text)
            return json.loads(text)
        package = sm("CreateModelPackage", ModelPackageGroupName="churn")["ModelPackageArn"]
        execution = self.start(definition(ModelPackageArn=package))
        self.decide(self.pending()[0], decision="reject", reason="AUC fell")
        self.assertEqual(self.ended(execution)["status"], "FAILED")
        shown = sm("DescribeModelPackage", ModelPackageName=package)
        self.assertEqual((shown["ModelApprovalStatus"], shown["ApprovalDescription"]), ("Rejected", "AUC fell"))
        last = shown["ApprovalHistory"][-1]
        self.assertEqual((last["Status"], last["Description"], last["By"]), ("Rejected", "AUC fell", "somebody at this server"))

    def test_command(self):
        self.assertIn("APPROVAL", self.call("approvals", "list").stdout)
        execution = self.start()
        approval = self.pending()[0]
        self.assertIn(approval["ApprovalId"], self.call("approvals", "list").stdout)
        self.assertIn("auc: 0.91", self.call("approvals", "show", approval["ApprovalId"][:6]).stdout)
        self.call("approvals", "reject", approval["ApprovalId"][:6], code=2)  # without a reason
        self.assertIn("there is no approval", self.call("approvals", "approve", "ffff", code=2).stderr)
        self.assertIn("Approved by somebody at this server", self.call("approvals", "approve", approval["ApprovalId"][:6]).stdout)
        self.assertEqual(self.ended(execution)["status"], "SUCCEEDED")
        self.assertIn("decided already", self.call("approvals", "reject", approval["ApprovalId"], "--reason", "no", code=2).stderr)

    def test_keys_and_rights(self):
        made = json.loads(self.call("keys", "create", "alice", "--json").stdout)
        self.server.stop()
        self.serve()
        refused = self.ask("GET", "/v1/approvals")
        self.assertEqual((refused[0], json.loads(refused[2])["__type"]), (400, "MissingAuthenticationTokenException"))
        environment = {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
                       "AWS_DEFAULT_REGION": "us-east-1", "PATH": "/usr/bin:/bin"}
        self.assertIn("APPROVAL", self.call("approvals", "list", env=environment).stdout)


class Crashes(ApprovalCase):
    def test_a_decision_is_kept_and_told_once(self):
        self.subscribe("email", "ada@example.com")
        executions = {}
        for number in range(6):
            execution = self.start(name=f"m{number}")
            executions[execution] = None
        told = set()
        for number in range(6):
            approval = None
            while approval is None or approval in told:  # a mail that went out as the server was killed goes out again
                text, _, (approve, reject) = self.mail()
                approval = re.search(r"/v1/approvals/([0-9a-f]+)", approve).group(1)
            told.add(approval)
            decision = "approve" if number % 2 else "reject"

            def answer(link=approve, word=decision):
                try:
                    self.send(link, word, reason="r")
                except (OSError, http.client.HTTPException):
                    pass  # it was killed meanwhile
            thread = threading.Thread(target=answer)
            thread.start()
            time.sleep(0.0007 * number)
            self.server.kill()
            thread.join()
            self.serve()
            shown = json.loads(self.ask("GET", "/v1/approvals/" + approval)[2])
            if shown["Status"] == "Pending":
                self.assertEqual(self.send(approve, decision, reason="r")[0], 200)
                shown = json.loads(self.ask("GET", "/v1/approvals/" + approval)[2])
            self.assertEqual(shown["Status"], "Approved" if number % 2 else "Rejected")
            self.assertEqual(self.ended(shown["ExecutionArn"])["status"], "SUCCEEDED" if number % 2 else "FAILED")
            executions[shown["ExecutionArn"]] = shown["Status"]
        self.assertNotIn(None, executions.values())
        with sqlite3.connect(f"file:{self.home}/tasks.db?mode=ro", uri=True) as database:
            untold = database.execute("SELECT count(*) FROM record WHERE kind = 'Approval' AND json_extract(document, '$.Millrace.Untold')").fetchone()[0]
        self.assertEqual(untold, 0)


if __name__ == "__main__":
    program.main()
