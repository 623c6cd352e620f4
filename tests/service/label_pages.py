#!/usr/bin/env python3
"""Labelling on a page: links, answers one by one, two people at once, crashes.

Usage: label_pages.py MILLRACE [CASE...]
"""

import http.client
import json
import re
import signal
import sys
import urllib.parse
from html import unescape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import Server  # noqa: E402

TEXTS = ["call <now> & win", "see you at six", "free entry", "dinner?", "prize inside"]


class PageCase(Case):
    def setUp(self):
        super().setUp()
        bucket = self.home / "objects/b"
        bucket.mkdir(parents=True)
        (bucket / "labels.json").write_text('{"labels": [{"label": "ham"}, {"label": "spam, \\"bad\\""}]}')
        (bucket / "ask.manifest").write_text("".join(json.dumps({"source": text, "row": i}) + "\n" for i, text in enumerate(TEXTS)))
        self.serve()
        self.addCleanup(lambda: self.server.stop())

    def serve(self):
        self.server = Server(self.home, log=self.directory / "log")

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, response.headers, text

    def create(self, name="sms", workers=1, manifest="s3://b/ask.manifest"):
        request = {"LabelingJobName": name, "LabelAttributeName": "label", "LabelCategoryConfigS3Uri": "s3://b/labels.json",
                   "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": manifest}}},
                   "OutputConfig": {"S3OutputPath": "s3://b/out"}, "RoleArn": "arn:aws:iam::123456789012:role/r",
                   "HumanTaskConfig": {"TaskTitle": "Spam & <ham>?", "TaskDescription": "Which is it",
                                       "NumberOfHumanWorkersPerDataObject": workers}}
        status, _, text = self.ask("POST", "/", json.dumps(request), X_Amz_Target="SageMaker.CreateLabelingJob",
                                   Content_Type="application/x-amz-json-1.1")
        self.assertEqual(status, 200, text)

    def link(self, name="sms", **body):
        status, _, text = self.ask("POST", f"/v1/labels/{name}/links", json.dumps(body), Content_Type="application/json")
        self.assertEqual(status, 200, text)
        return re.sub(r"^http://[^/]+", "", json.loads(text)["url"])

    def page(self, address, status=200):
        got, headers, text = self.ask("GET", address)
        self.assertEqual(got, status, text)
        self.assertNotIn("<script", text)
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        return text

    def object_on(self, page):
        """What the page shows, and the number of it."""
        shown = re.search(r'<div class="object">(.*?)</div>', page, re.S)
        number = re.search(r'name="id" value="(\d+)"', page)
        return (unescape(shown[1]), int(number[1])) if shown and number else (None, None)

    def answer(self, page, label, status=303):
        """Clicks a label; the address that the browser goes to then."""
        fields = {name: unescape(value) for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)}
        action = unescape(re.search(r'<form method="post"[^>]* action="([^"]*)"', page)[1])
        got, headers, text = self.ask("POST", action, urllib.parse.urlencode({**fields, "label": label}),
                                      Content_Type="application/x-www-form-urlencoded")
        self.assertEqual(got, status, text)
        return headers.get("Location")

    def describe(self, name="sms"):
        return json.loads(self.ask("POST", "/", json.dumps({"LabelingJobName": name}), X_Amz_Target="SageMaker.DescribeLabelingJob",
                                   Content_Type="application/x-amz-json-1.1")[2])


class Page(PageCase):
    def test_from_the_first_object_to_the_output(self):
        self.create()
        address = self.link(worker="ann@example.com")
        page = self.page(address)
        self.assertIn("Spam &amp; &lt;ham&gt;?", page)
        self.assertIn("0 of 5 labelled", page)
        self.assertEqual(self.object_on(page), (TEXTS[0], 0))
        self.assertIn('value="spam, &quot;bad&quot;"', page)
        self.assertEqual(self.object_on(self.page(address))[1], 0)  # loaded again it is the same
        for i in range(4):
            address = self.answer(page, 'spam, "bad"' if i % 2 == 0 else "ham")
            page = self.page(address)
            self.assertIn(f"{i + 1} of 5 labelled", page)
        # A change of mind, a skip, and what was skipped again.
        back = unescape(re.search(r'<a href="([^"]*)">Back to the last one', page)[1])
        again = self.page(back)
        self.assertEqual(self.object_on(again), (TEXTS[3], 3))
        page = self.page(self.answer(again, 'spam, "bad"'))
        self.assertEqual(self.object_on(page)[1], 4)
        skip = unescape(re.search(r'<a href="([^"]*)">Skip', page)[1])
        self.assertEqual(self.object_on(self.page(skip))[1], 4)
        page = self.page(self.answer(page, "ham"))
        self.assertIn("Everything is labelled", page)
        self.wait_for(lambda: self.describe()["LabelingJobStatus"] == "Completed", "the end of the job")
        lines = (self.home / "objects/b/out/sms/manifests/output/output.manifest").read_text().splitlines()
        self.assertEqual([json.loads(line)["label"] for line in lines], [1, 0, 1, 1, 0])

    def test_rows_are_shown_by_their_columns(self):
        (self.home / "objects/b/rows.manifest").write_text(json.dumps({"source": "age: 3", "columns": {"age": "3", "<b>": "x"}, "row": 7}) + "\n")
        self.create("rows", manifest="s3://b/rows.manifest")
        page = self.page(self.link("rows", worker="ann"))
        self.assertIn("<td>age</td><td>3</td>", page)
        self.assertIn("<td>&lt;b&gt;</td><td>x</td>", page)

    def test_killed_it_keeps_every_answer(self):
        self.create()
        address = self.link(worker="ann")
        page = self.page(address)
        for _ in range(3):
            page = self.page(self.answer(page, "ham"))
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        self.serve()
        page = self.page(address)  # links outlive the process
        self.assertIn("3 of 5 labelled", page)
        self.assertEqual(self.object_on(page)[1], 3)


class Together(PageCase):
    def test_two_people_get_different_objects(self):
        self.create()
        ann, ben = self.link(worker="ann"), self.link(worker="ben")
        seen = []
        pages = [self.page(ann), self.page(ben)]
        for turn in range(5):
            text, number = self.object_on(pages[turn % 2])
            self.assertIsNotNone(text, pages[turn % 2])
            seen.append(number)
            pages[turn % 2] = self.page(self.answer(pages[turn % 2], "ham"))
        self.assertEqual(sorted(seen), [0, 1, 2, 3, 4])

    def test_who_waits_for_the_other_is_told(self):
        self.create()
        ann, ben = self.link(worker="ann"), self.link(worker="ben")
        for _ in range(4):
            self.answer(self.page(ann), "ham")
        last = self.page(ann)
        waiting = self.page(ben)
        self.assertIn("Others have the last ones", waiting)
        self.assertIn('http-equiv="refresh"', waiting)
        self.answer(last, "ham")
        self.assertIn("Everything is labelled", self.page(ben))

    def test_each_object_by_two_people(self):
        self.create("both", workers=2)
        for worker in "ann", "ben":
            page = self.page(self.link("both", worker=worker))
            for _ in TEXTS:
                page = self.page(self.answer(page, "ham"))
        self.wait_for(lambda: self.describe("both")["LabelingJobStatus"] == "Completed", "the end of the job")


class Links(PageCase):
    def test_a_link_without_a_name_asks_for_it(self):
        self.create()
        address = self.link()
        self.assertIn("Your name", self.page(address))
        page = self.page(address + "&worker=" + urllib.parse.quote("Zoë & co"))
        self.assertEqual(self.object_on(page)[1], 0)
        self.assertIn("You label as Zoë &amp; co", page)
        self.assertIn("worker=Zo", self.answer(page, "ham"))

    def test_what_is_no_link_opens_nothing(self):
        self.create()
        self.create("other")
        address = self.link(worker="ann")
        self.page(address[:-1] + ("0" if address[-1] != "0" else "1"), 403)
        self.page(address.replace("/sms?", "/other?"), 403)
        self.page("/v1/labels/sms?token=1.2.3", 403)
        page = self.page(address)
        self.answer(page, "neither", 400)
        self.assertEqual(self.ask("POST", "/v1/labels/sms", "id=0&label=ham&token=1.2.3", Content_Type="application/x-www-form-urlencoded")[0], 403)
        for body in {"hours": 0}, {"hours": "long"}, {"worker": 7}, {"worker": "x" * 200}:
            self.assertEqual(self.ask("POST", "/v1/labels/sms/links", json.dumps(body), Content_Type="application/json")[0], 400, body)
        self.assertEqual(self.ask("POST", "/v1/labels/none/links", "{}", Content_Type="application/json")[0], 404)

    def test_the_command(self):
        self.create()
        url = self.call("label", "sms", "--link", "--worker", "ann").stdout.strip()
        self.assertEqual(self.object_on(self.page(re.sub(r"^http://[^/]+", "", url)))[1], 0)
        self.assertIn("none", self.call("label", "none", "--link", code=2).stderr)


if __name__ == "__main__":
    program.main()
