#!/usr/bin/env python3
"""The command line as its user meets it: exit codes, stdout and stderr, --json, and surroundings that fail.

Usage: command_line.py MILLRACE [CASE...]
"""

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import xml.etree.ElementTree
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import ROOT, Case  # noqa: E402

HELLO = ROOT / "examples/hello/definition.json"
PASS = {"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": True}}}
WAIT = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3, "Next": "Done"},
                                      "Done": {"Type": "Pass", "Result": "through", "End": True}}}
LONG_WAIT = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 600, "End": True}}}


class Usage(Case):
    def test_help_teaches(self):
        text = self.call("--help").stdout
        commands = re.findall(r"^  ([a-z]+) {3,}", text[text.index("Subcommands:"):], re.M)
        self.assertGreaterEqual(len(commands), 10)
        self.assertIn("Exit codes:", text)
        for command in commands:
            self.assertIn("Usage: millrace " + command, self.call(command, "--help").stdout)

    def test_wrong_usage_is_2_and_says_how(self):
        for arguments in ([], ["run"], ["rum", HELLO], ["run", HELLO, "--unheard"], ["list", "--limit", "many"]):
            done = self.call(*arguments, code=2)
            self.assertIn("--help", done.stderr, arguments)
            self.assertEqual(done.stdout, "", arguments)
        self.assertFalse(self.home.exists(), "asking wrongly makes nothing")

    def test_version(self):
        self.assertRegex(self.call("--version").stdout, r"^millrace \d+\.\d+\.\d+\n$")

    def test_errors_as_json(self):
        error = json.loads(self.call("run", "nowhere.json", "--json", code=2).stderr)["error"]
        self.assertEqual(error["code"], "InvalidArgument")
        self.assertIn("nowhere.json: No such file", error["message"])
        self.assertTrue(error["hint"])


class Definitions(Case):
    BROKEN = '{\n  "StartAt": "A",\n  "States": {\n    "A": {"Type": "Pass", "Next": "Bee"},\n    "Be": {"Type": "Succeed"}\n  }\n}\n'

    def test_every_mistake_with_its_place(self):
        path = self.write("broken.json", self.BROKEN)
        shown = self.call("validate", path, HELLO, code=2)
        self.assertIn(f"{path}:4:", shown.stderr)
        self.assertIn("MISSING_TRANSITION_TARGET", shown.stderr)
        self.assertIn("did you mean 'Be'?", shown.stderr)
        self.assertIn("hello/definition.json: valid", shown.stdout)
        answers = json.loads(self.call("validate", path, HELLO, "--json", code=2).stdout)
        self.assertEqual([a["result"] for a in answers], ["FAIL", "OK"])
        self.assertEqual(answers[0]["diagnostics"][0]["line"], 4)

    def test_a_broken_definition_does_not_run(self):
        shown = self.call("run", self.write("broken.json", self.BROKEN), code=2)
        self.assertIn("MISSING_TRANSITION_TARGET", shown.stderr)
        self.assertEqual(shown.stdout, "")
        self.assertFalse(self.home.exists())

    def test_no_json_empty_directory_binary(self):
        for name, text, words in (("empty.json", "", "empty.json"), ("half.json", '{"StartAt": ', "half.json:1:"),
                                  ("bytes.json", "\x00\x01", "bytes.json")):
            self.assertIn(words, self.call("validate", self.write(name, text), code=2).stderr)
        self.assertIn("is a directory", self.call("validate", self.directory, code=2).stderr)

    def test_unreadable_file(self):
        path = self.write("secret.json", PASS)
        path.chmod(0)
        someone = {"user": 65534} if os.geteuid() == 0 else {}  # root reads every file
        try:
            self.assertIn("Permission denied", self.call("run", path, code=2, **someone).stderr)
        except PermissionError:
            self.skipTest("unreadable file: the program itself can't be run by another user here")

    def test_from_standard_input(self):
        self.assertIn("valid, 1 states", self.call("validate", "-", input=json.dumps(PASS)).stdout)
        done = self.call("run", self.write("pass.json", PASS), "--input", "-", input='{"n": 1.10}')
        self.assertEqual(done.stdout, '{\n  "n": 1.10\n}\n')

    def test_pictures(self):
        self.assertTrue(self.call("graph", HELLO).stdout.startswith("<svg"))
        self.assertIn("digraph", self.call("graph", HELLO, "-o", "dot").stdout)
        picture = self.directory / "hello.svg"
        self.call("graph", HELLO, "-o", picture)
        self.assertIn("Which language?", picture.read_text(encoding="utf-8"))
        self.assertIn("no picture format", self.call("graph", HELLO, "-o", "png", code=2).stderr)

    def test_definitions_in_the_documents(self):
        """Every whole definition that docs/ml.md shows runs, on a file as the page describes it."""
        page = (ROOT / "docs/ml.md").read_text(encoding="utf-8")
        rows = [f"{int(i * 37 % 101 + i % 13 > 60)},{18 + i * 37 % 101 if i % 9 else ''},{i * 53 % 97 * 100 if i % 11 else ''},"
                f"{('Ulm', 'Linz', 'Genoa')[i % 3]}" for i in range(600)]
        self.call("objects", "put", self.write("customers.csv", "bought,age,income,city\n" + "\n".join(rows) + "\n"),
                  "s3://shop/customers.csv")
        (script,) = re.findall(r"^```python\n(.*?)^```", page, re.S | re.M)
        self.call("objects", "put", self.write("train.py", script), "s3://shop/code/train.py")
        blocks = re.findall(r"^```json\n(.*?)^```", page, re.S | re.M)
        for name, text in series_texts_and_events().items():
            self.call("objects", "put", self.write(name, text), f"s3://shop/{name}")
        judged, _, asked, _, own = [self.run_json(self.write(f"block{i}.json", block))["output"]
                                    for i, block in enumerate(blocks)]
        self.assertGreater(judged["evaluated"]["auc"]["value"], 0.9)
        (metric,) = own["FinalMetricDataList"]
        ages = [18 + i * 37 % 101 for i in range(600) if i % 9]
        self.assertEqual(metric["MetricName"], "train:mean")
        self.assertAlmostEqual(metric["Value"], sum(ages) / len(ages), places=2)
        archive = self.home / "objects" / own["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://")
        with tarfile.open(archive) as files:
            self.assertIn("mean.json", files.getnames())
        forecasts = self.call("objects", "cat", "s3://shop/forecasts/sales.csv.out").stdout.splitlines()
        self.assertTrue(forecasts[0].startswith("item_id,timestamp,mean,p10,"))
        self.assertEqual(len(forecasts), 1 + 2 * 14)
        self.assertTrue(forecasts[1].startswith("tea,2024-04-30,"), forecasts[1])
        self.assertAlmostEqual(float(forecasts[1].split(",")[2]), 50 + 10 * (120 % 7), delta=3)
        self.assertEqual(asked["answer"][0]["label"], ["__label__spam", "__label__ham"])
        (line,) = self.call("objects", "cat", "s3://shop/recommended/users.jsonl.out").stdout.splitlines()
        recommended = json.loads(line)
        self.assertEqual(recommended["input"], {"userId": "u0", "numResults": 2})
        self.assertEqual(set(recommended["output"]["recommendedItems"]), {"i8", "i9"})  # of his taste, and new to him


def series_texts_and_events():
    """The files that the section on series, texts and recommendations of docs/ml.md takes."""
    days = [f"2024-{m:02}-{d:02}" for m, n in ((1, 31), (2, 29), (3, 31), (4, 29)) for d in range(1, n + 1)]
    sales = [f"{item},{day},{base + 10 * (i % 7) + i * 37 % 5 / 5}" for item, base in (("tea", 50), ("milk", 200)) for i, day in enumerate(days)]
    messages = [("spam,free entry to win a prize call now {}" if i % 3 == 0 else "ham,see you at home for dinner at {}").format(i) for i in range(60)]
    # Even users like the first ten items, odd ones the last; each leaves out two of them.
    events = [f"u{u},i{u % 2 * 10 + k},{k}" for u in range(40) for k in range(10) if k not in (8 - u // 2 % 5 * 2, 9 - u // 2 % 5 * 2)]
    return {"sales.csv": "\n".join(["item_id,timestamp,target_value"] + sales) + "\n",
            "messages.csv": "\n".join(["label,text"] + messages) + "\n",
            "events.csv": "\n".join(["USER_ID,ITEM_ID,TIMESTAMP"] + events) + "\n",
            "users.jsonl": '{"userId": "u0", "numResults": 2}\n'}


class Run(Case):
    def test_output_on_stdout_the_rest_on_stderr(self):
        done = self.call("run", HELLO, "--input", '{"name":"Ada","language":"de"}', "--name", "one", "--watch")
        self.assertEqual(json.loads(done.stdout), {"greeting": "Guten Tag, Ada!"})
        self.assertIn("✓ Greet", done.stderr)
        self.assertIn("one SUCCEEDED in", done.stderr)

    def test_json(self):
        done = self.run_json(HELLO, "--input", '{"name":"Ada","language":"de"}', "--name", "one")
        self.assertEqual(done["executionArn"], "arn:aws:states:us-east-1:123456789012:execution:hello:one")
        self.assertEqual([s["name"] for s in done["states"]], ["Which language?", "German", "Greet", "Done"])
        self.assertEqual({s["status"] for s in done["states"]}, {"SUCCEEDED"})
        self.assertGreaterEqual(done["durationMillis"], 0)

    def test_numbers_come_out_as_they_went_in(self):
        text = '{"a":1.10,"b":12345678901234567890123,"c":1e400,"ä":"\\u00e9"}'
        out = self.call("run", self.write("pass.json", PASS), "--input", text).stdout
        for part in ("1.10", "12345678901234567890123", "1e400"):
            self.assertIn(part, out)

    def test_bad_input(self):
        for given, words in (("{", "line 1, column 2"), ("nowhere.json", "No such file"),
                             (self.write("in.json", "{}{}"), "in.json: ")):
            self.assertIn(words, self.call("run", HELLO, "--input", given, code=2).stderr)

    def test_a_failed_execution_is_1(self):
        fail = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Sad", "Cause": "no luck"}}}
        done = self.call("run", self.write("fail.json", fail), code=1)
        self.assertIn("Sad: no luck", done.stderr)
        self.assertEqual(done.stdout, "")
        timeout = dict(LONG_WAIT, TimeoutSeconds=1)
        self.assertEqual(self.run_json(self.write("timeout.json", timeout), code=1)["status"], "TIMED_OUT")

    def test_names_are_used_once(self):
        self.call("run", HELLO, "--input", '{"name":"Ada","language":"de"}', "--name", "one")
        again = self.call("run", HELLO, "--input", '{"name":"Bob","language":"de"}', "--name", "one", code=2)
        self.assertIn("Execution Already Exists", again.stderr)
        self.assertIn("Invalid Name", self.call("run", HELLO, "--name", "a/b", code=2).stderr)

    def test_an_unknown_task_fails_by_name(self):
        task = {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun", "End": True}}}
        done = self.call("run", self.write("task.json", task), code=1)
        self.assertIn("glue:startJobRun", done.stderr)


class Looking(Case):
    def setUp(self):
        super().setUp()
        self.call("run", HELLO, "--input", '{"name":"Ada","language":"de"}', "--name", "one")

    def test_list(self):
        self.call("run", HELLO, "--name", "two", code=1)
        shown = self.call("list").stdout.splitlines()
        self.assertTrue(shown[0].startswith("STATE MACHINE"))
        self.assertEqual([line.split()[1] for line in shown[1:]], ["two", "one"])
        rows = json.loads(self.call("list", "--status", "SUCCEEDED", "--json").stdout)["executions"]
        self.assertEqual([row["name"] for row in rows], ["one"])
        self.assertIn("is no status", self.call("list", "--status", "DONE", code=2).stderr)
        self.assertIn("State Machine Does Not Exist: 'other'", self.call("list", "--machine", "other", code=2).stderr)

    def test_describe(self):
        for which in ("one", "hello/one", "hello", "arn:aws:states:us-east-1:123456789012:execution:hello:one"):
            shown = json.loads(self.call("describe", which, "--json").stdout)
            self.assertEqual((shown["name"], shown["status"]), ("one", "SUCCEEDED"))
            self.assertEqual(shown["output"], '{"greeting":"Guten Tag, Ada!"}')
        text = self.call("describe", "one").stdout
        self.assertIn("✓ Greet", text)
        self.assertIn("Does Not Exist", self.call("describe", "three", code=2).stderr)

    def test_history(self):
        events = self.events("one")
        self.assertEqual([e["id"] for e in events], list(range(1, len(events) + 1)))
        self.assertEqual((events[0]["type"], events[-1]["type"]), ("ExecutionStarted", "ExecutionSucceeded"))
        reverse = json.loads(self.call("history", "one", "--reverse", "--json").stdout)["events"]
        self.assertEqual(reverse, events[::-1])

    def test_without_a_home(self):
        self.home = self.directory / "elsewhere"
        for command in (["list"], ["describe", "one"], ["history", "one"], ["resume"], ["invoke", "e", "--body", "1"]):
            self.assertIn("no home directory", self.call(*command, code=2).stderr)
        self.assertFalse(self.home.exists())

    def test_objects(self):
        uri = "s3://bucket/some/key.txt"
        self.call("objects", "put", self.write("text.txt", "hello\n"), uri)
        self.assertEqual(self.call("objects", "cat", uri).stdout, "hello\n")
        self.assertIn(uri, self.call("objects", "ls", "s3://bucket/").stdout)
        self.call("objects", "get", uri, self.directory / "copy.txt")
        self.assertEqual((self.directory / "copy.txt").read_text(encoding="utf-8"), "hello\n")
        self.assertIn("expected s3://bucket/key", self.call("objects", "cat", "bucket/key", code=2).stderr)
        self.call("objects", "cat", "s3://bucket/none", code=2)
        self.call("objects", "put", HELLO, "s3://bucket/../../escaped", code=2)
        self.assertFalse((self.directory / "escaped").exists())

    def test_call(self):
        self.assertIn("describeTrainingJob", self.call("call", "--list").stdout)
        self.assertIn("ModelPackageGroupName", self.call("call", "createModelPackageGroup", "--parameters").stdout)
        made = json.loads(self.call("call", "createModelPackageGroup", '{"ModelPackageGroupName":"g"}').stdout)
        self.assertIn("model-package-group/g", made["ModelPackageGroupArn"])
        listed = json.loads(self.call("call", "listModelPackageGroups", "--json").stdout)
        self.assertEqual(len(listed["ModelPackageGroupSummaryList"]), 1)
        self.assertIn("did you mean describeTrainingJob", self.call("call", "describeTrainJob", code=2).stderr)
        refused = self.call("call", "createModelPackageGroup", '{"Name":"g"}', code=2).stderr
        self.assertIn("ModelPackageGroupName", refused)


class Eval(Case):
    def eval(self, *arguments, data=None, code=0):
        return self.call("eval", *arguments, input="" if data is None else data, code=code)

    def lines(self, *requests, language="jsonata"):
        text = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in requests)
        return [json.loads(line) for line in self.eval("--lines", "--language", language, data=text).stdout.splitlines()]

    def test_the_data_is_a_file_an_argument_or_standard_input(self):
        for given in (dict(data='{"a":[1,2,3]}'), dict(data="ignored")):
            place = [] if given["data"][0] == "{" else ["-i", self.write("data.json", {"a": [1, 2, 3]})]
            self.assertEqual(self.eval("$.a[1:]", "-l", "jsonpath", *place, **given).stdout, "[2, 3]\n")
        self.assertEqual(self.eval("$", "-l", "jsonpath", "-i", '{"b":1.10}', "--json").stdout, '{"result":{"b":1.10}}\n')
        wrong = self.eval("$", data="{", code=2)
        self.assertIn("standard input: ", wrong.stderr)

    def test_each_language(self):
        self.assertEqual(self.eval("States.Format('{}!', $.n)", "-l", "intrinsic", "-i", '{"n":"Ada"}', "-r").stdout, "Ada!\n")
        self.assertEqual(self.eval("$$.Execution.Id", "-l", "jsonpath", "--context", '{"Execution":{"Id":"x"}}').stdout, '"x"\n')
        self.assertEqual(self.eval("$v.a", "-l", "jsonpath", "-b", '{"v":{"a":7}}').stdout, "7\n")

    def test_no_result_is_1_and_a_wrong_expression_2(self):
        self.assertIn("No results for path", self.eval("$.b", "-l", "jsonpath", "-i", '{"a":1}', code=1).stderr)
        self.assertEqual(self.eval("$.b", "-l", "jsonpath", "-i", '{"a":1}', "--json", code=1).stdout, '{"noMatch":true}\n')
        self.assertIn("S0207", self.eval("1 +", code=2).stderr)
        self.assertIn("four hexadecimal digits", self.eval('$["\\u{12}"]', "-l", "jsonpath", code=2).stderr)
        self.assertEqual(json.loads(self.eval("$.[", "-l", "jsonpath", "--json", code=2).stdout)["error"]["code"], "InvalidPath")
        self.assertIn("--lines", self.eval(code=2).stderr)
        self.assertIn("language", self.eval("1", "-l", "sql", code=2).stderr)

    def test_lines_answer_each_and_never_end_early(self):
        answers = self.lines({"expr": "$.a", "data": {"a": 1}}, "nonsense", "", '{"expr":1}', '{"expr":"$","bindings":[]}', "[]",
                             {"expr": "$.b", "data": {"a": 1}}, {"expr": "$.[", "data": 1}, {"expr": "$$.x", "context": {"x": 2}},
                             {"expr": "$v", "bindings": {"v": "\u00e9\U0001f600"}}, {"expr": "$", "input": 3}, language="jsonpath")
        self.assertEqual([next(iter(a)) for a in answers], ["result", "error", "error", "error", "error", "error", "noMatch", "error",
                                                            "result", "result", "result"])
        self.assertEqual([a["error"]["code"] for a in answers[1:6]], ["InvalidArgument"] * 5)
        self.assertEqual([answers[i]["result"] for i in (8, 9, 10)], [2, "\u00e9\U0001f600", 3])

    def test_a_path_without_its_root(self):
        self.assertEqual(self.eval("a.b", "-l", "jsonpath", data='{"a":{"b":7}}').stdout, "7\n")
        refused = self.eval("a.b", "-l", "jsonpath", "--dialect", "states", data="{}", code=2).stderr
        self.assertIn("a path begins with '$'", refused)

    def test_jsonata(self):
        self.assertEqual(self.eval("$sum(a)", data='{"a":[1,2,3]}').stdout, "6\n")
        self.assertEqual(self.eval("$states.input.n & $x", "--dialect", "states", "-r", "-b",
                                   '{"states":{"input":{"n":"a"}},"x":"b"}').stdout, "ab\n")
        self.assertIn("undefined", self.eval("nothing", code=1).stderr)
        self.assertIn("T2001", self.eval('"a" + 1', code=1).stderr)
        answers = self.lines({"expr": "a + $b", "data": {"a": 1}, "bindings": {"b": 2}}, {"expr": "$"}, {"expr": "$", "data": None},
                             {"expr": "$sum"}, {"expr": "1 +"}, {"expr": '"x" + 1'})
        self.assertEqual(answers[:3], [{"result": 3}, {"undefined": True}, {"result": None}])
        self.assertEqual([a["error"]["code"] for a in answers[3:]], ["NotJson", "S0207", "T2001"])

    def test_a_line_is_answered_before_the_next_comes(self):
        process = subprocess.Popen([program.MILLRACE, "eval", "--lines", "-l", "jsonpath"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        for number in range(3):
            process.stdin.write(json.dumps({"expr": "$", "data": number}) + "\n")
            process.stdin.flush()
            self.assertEqual(json.loads(process.stdout.readline()), {"result": number})
        process.stdin.write('{"expr":"$","data":9}')  # a last line without its end
        process.stdin.close()
        self.assertEqual(json.loads(process.stdout.readline()), {"result": 9})
        self.assertEqual(process.wait(), 0)

    def test_a_line_beyond_the_limit(self):
        long = '{"expr":"' + "x" * (64 * 1024 * 1024) + '"}'
        answers = self.lines(long, {"expr": "$", "data": 1}, language="jsonpath")
        self.assertEqual(answers[0]["error"]["code"], "LimitExceeded")
        self.assertEqual(answers[1], {"result": 1})


class Interrupted(Case):
    """What is told to stop stops; what is killed goes on."""

    def start(self, definition, name):
        running = subprocess.Popen([program.MILLRACE, "run", definition, "--home", self.home, "--name", name, "--json"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (running.kill(), running.communicate()))
        self.wait_for_start(name)
        return running

    def test_sigint_aborts(self):
        running = self.start(self.write("wait.json", LONG_WAIT), "one")
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=30)
        self.assertEqual(running.returncode, 1)
        self.assertEqual(json.loads(out)["status"], "ABORTED")

    def test_sigint_stops_a_task(self):
        task = {"StartAt": "T", "States": {"T": {
            "Type": "Task", "Resource": "arn:aws:states:::sagemaker:createProcessingJob.sync", "End": True,
            "Parameters": {"ProcessingJobName": "sleeper", "AppSpecification": {
                "ImageUri": "script", "ContainerEntrypoint": ["/bin/sh", "-c"], "ContainerArguments": ["exec sleep 600"]}}}}}
        running = self.start(self.write("task.json", task), "one")
        self.wait_for(lambda: any(e["type"] == "TaskSubmitted" for e in self.events("one")), "the job")
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
        self.assertEqual(running.returncode, 1)
        job = json.loads(self.call("call", "describeProcessingJob", '{"ProcessingJobName":"sleeper"}').stdout)
        self.assertEqual(job["ProcessingJobStatus"], "Stopped")

    def test_killed_and_resumed(self):
        running = self.start(self.write("wait.json", WAIT), "one")
        running.kill()
        running.communicate()
        self.assertEqual(json.loads(self.call("describe", "one", "--json").stdout)["status"], "RUNNING")
        resumed = self.call("resume")
        self.assertIn("one SUCCEEDED", resumed.stderr)
        shown = json.loads(self.call("describe", "one", "--json").stdout)
        self.assertEqual((shown["status"], shown["output"]), ("SUCCEEDED", '"through"'))
        self.assertEqual(json.loads(self.call("resume", "--json").stdout), {"resumed": 0})

    def test_a_run_takes_up_what_was_killed(self):
        running = self.start(self.write("wait.json", LONG_WAIT), "one")
        running.kill()
        running.communicate()
        done = self.call("run", HELLO, "--input", '{"name":"Ada","language":"de"}')
        self.assertIn("taking up 1 unfinished execution", done.stderr)

    def test_home_in_use(self):
        running = self.start(self.write("wait.json", LONG_WAIT), "one")
        for command in (["run", HELLO], ["resume"], ["call", "listModels"]):
            refused = self.call(*command, code=3).stderr
            self.assertIn(f"is in use by process {running.pid}", refused)
            self.assertIn("--home", refused)
        self.assertIn("one", self.call("list").stdout)  # looking is allowed


class Surroundings(Case):
    def test_home_that_can_not_be(self):
        self.home = self.write("file", "")
        self.assertIn("home directory", self.call("run", HELLO, code=2).stderr)

    def test_damaged_database(self):
        self.call("run", HELLO, code=1)
        (self.home / "millrace.db").write_bytes(b"this is no database" * 1000)
        for suffix in ("-wal", "-shm"):
            (self.home / f"millrace.db{suffix}").unlink(missing_ok=True)
        for command in (["run", HELLO], ["list"], ["describe", "hello"]):
            self.assertIn(str(self.home / "millrace.db"), self.call(*command, code=3).stderr)


class Bench(Case):
    def test_one_line_with_the_numbers(self):
        for name, rate, cost in (("chain", "transitions_per_s", "cpu_us_per_transition"),
                                 ("tasks", "task_steps_per_s", "cpu_us_per_task_step")):
            done = self.call("bench", name, "--length", "10", "--concurrency", "16", "--seconds", "0.3", "--dir", self.directory,
                             "--json")
            self.assertEqual(done.stdout.count("\n"), 1)
            line = json.loads(done.stdout)
            for key in (rate, cost, "executions_per_s", "p50_ms", "p99_ms", "bytes_per_execution"):
                self.assertGreater(line[key], 0, key)
            self.assertLessEqual(line["p50_ms"], line["p99_ms"])
        self.assertEqual(list(self.directory.iterdir()), [], "the database is removed")


class Tests(Case):
    EXAMPLE = ROOT / "examples/retry-and-catch/tests.json"
    TASK = {"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "Rest",
                                                 "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Rest"}]},
                                         "Rest": {"Type": "Wait", "Seconds": 86400, "End": True}}}

    def file(self, *cases):
        self.write("task.json", self.TASK)
        return self.write("tests.json", {"definition": "task.json", "cases": list(cases)})

    def test_the_examples_pass_and_leave_nothing(self):
        shown = self.call("test", self.EXAMPLE, ROOT / "examples/fraud/tests.json", "--coverage", "--coverage-min", "100").stdout
        self.assertIn("8 cases: 8 passed, 0 failed", shown)
        self.assertIn("coverage 100.0 %", shown)
        self.assertFalse(self.home.exists(), "a test needs no home")

    def test_differences_are_shown_and_the_code_is_1(self):
        path = self.file({"name": "day", "mocks": {"Ask": {"return": {"a": [1, 2]}}}, "expect": {"output": {"a": [1, 3]}, "path": ["Ask"]}},
                         {"name": "fine", "mocks": {"Ask": {"return": 7}}, "expect": {"output": 7}})
        shown = self.call("test", path, code=1).stdout
        self.assertIn("✗ day  (SUCCEEDED, 24 h 0 min", shown)
        self.assertIn("output at /a/1: expected 3, got 2", shown)
        self.assertIn("step 2: expected the end, got 'Rest'", shown)
        self.assertIn("✓ fine", shown)
        self.assertIn("2 cases: 1 passed, 1 failed", shown)
        self.assertNotIn("day", self.call("test", path, "--filter", "fine").stdout)
        self.call("test", path, "--filter", "fine", "--coverage-min", "99", code=1)
        self.assertIn("no case was run", self.call("test", path, "--filter", "nothing", code=2).stderr)

    def test_reports(self):
        path = self.file({"name": "a <b>", "expect": {"status": "FAILED"}}, {"name": "c", "mocks": {"Ask": {"return": 1}}})
        junit = self.directory / "report.xml"
        report = json.loads(self.call("test", path, "--json", "--junit", junit, code=1).stdout)
        self.assertEqual((report["passed"], report["failed"]), (1, 1))
        case = report["suites"][0]["cases"][0]
        self.assertIn("state 'Ask' (arn:aws:states:::lambda:invoke), invocation 0, has no mock", case["problems"][0])
        done = report["suites"][0]["cases"][1]
        self.assertEqual((done["status"], done["output"], done["path"], done["durationMillis"]), ("SUCCEEDED", 1, ["Ask", "Rest"], 86_400_000))
        self.assertEqual(report["suites"][0]["coverage"]["catchers"], {"covered": 0, "total": 1, "missed": ["Ask: Catch[0] States.ALL"]})
        suite = xml.etree.ElementTree.parse(junit).getroot().find("testsuite")
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("2", "1"))
        self.assertEqual([c.get("name") for c in suite], ["a <b>", "c"])
        self.assertIn("has no mock", suite[0].find("failure").get("message"))

    def test_files_that_are_wrong_are_2(self):
        for text, words in (("{", "tests.json: "), ({"cases": []}, "'definition' is missing"),
                            ({"definition": "gone.json", "cases": []}, "gone.json: No such file"),
                            ({"definition": self.TASK, "cases": [{"name": "n", "moks": {}}]}, "unknown member 'moks'")):
            self.assertIn(words, self.call("test", self.write("tests.json", text), code=2).stderr)
        self.assertIn("nowhere.json", self.call("test", "nowhere.json", self.EXAMPLE, code=2).stderr)

    def test_a_mock_config_file(self):
        config = self.write("MockConfigFile.json", {
            "StateMachines": {"M": {"TestCases": {"Happy": {"Ask": "Answer"}, "Sad": {"Ask": "Trouble"}}}},
            "MockedResponses": {"Answer": {"0": {"Return": {"StatusCode": 200}}}, "Trouble": {"0-3": {"Throw": {"Error": "E", "Cause": "c"}}}}})
        definition = self.write("task.json", self.TASK)
        self.assertIn("--definition M=FILE", self.call("test", config, code=2).stderr)
        for given in (definition, f"M={definition}"):
            self.assertIn("2 cases: 2 passed", self.call("test", config, "--definition", given).stdout)


class Simulate(Case):
    TASK = {"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True,
                                                 "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 10, "MaxAttempts": 1}]}}}

    def test_a_year_of_nights_has_one_that_clocks_jump_over(self):
        definition = self.write("pass.json", PASS)
        made = json.loads(self.call("simulate", definition, "--every", "cron(30 2 * * ? *)", "--timezone", "Europe/Berlin",
                                    "--start", "2026-01-01T00:00:00Z", "--until", "2027-01-01T00:00:00Z", "--json").stdout)
        self.assertEqual(len(made["runs"]), 364)

    def test_a_constant_task_on_a_schedule(self):
        definition = self.write("task.json", self.TASK)
        model = self.write("model.json", {"tasks": {"Ask": {"duration": 5400}}})
        made = json.loads(self.call("simulate", definition, "--model", model, "--every", "rate(1 hour)", "--until", "9 hours", "--json").stdout)
        self.assertEqual(len(made["runs"]), 10)
        self.assertEqual(made["statuses"], {"SUCCEEDED": 8, "RUNNING": 2})
        self.assertEqual(made["duration"]["p99Millis"], 5_400_000)
        self.assertEqual(made["overlap"], {"beganWhileAnotherRan": 9, "atOnceMax": 2, "skippedStarts": 0, "firstAt": "2026-01-01T01:00:00.000Z"})
        shown = self.call("simulate", definition, "--model", model, "--starts", "2026-03-01T00:00:00Z,2026-03-02T00:00:00Z").stdout
        self.assertIn("2 runs: 2 SUCCEEDED", shown)
        self.assertIn("overlap: none", shown)

    def test_failures_retries_and_the_seed(self):
        definition = self.write("task.json", self.TASK)
        model = self.write("model.json", {"default": {"duration": {"exponential": {"mean": 20}}, "outcomes": [{"probability": 0.5, "throw": {"error": "Busy"}}]}})
        run = ["simulate", definition, "--model", model, "--runs", "400", "--json"]
        first = self.call(*run).stdout
        self.assertEqual(first, self.call(*run).stdout, "the same seed forecasts the same")
        self.assertNotEqual(first, self.call(*run, "--seed", "2").stdout)
        made = json.loads(first)
        state = made["states"][0]
        self.assertEqual(state["attempts"], 400 + state["retries"])
        self.assertTrue(150 < state["retries"] < 250, state)
        self.assertTrue(60 < made["errors"]["Busy"] < 140, made["errors"])

    def test_a_map_reads_the_objects_of_a_folder(self):
        each = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Ask",
                "States": {"Ask": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}}}
        reader = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSONL"},
                  "Parameters": {"Bucket": "data", "Key": "in/orders.jsonl"}}
        definition = self.write("map.json", {"StartAt": "M", "States": {"M": {
            "Type": "Map", "ItemReader": reader, "ItemProcessor": each, "MaxConcurrency": 1, "End": True}}})
        model = self.write("model.json", {"tasks": {"Ask": {"duration": 10}}})
        (self.directory / "files/data/in").mkdir(parents=True)
        (self.directory / "files/data/in/orders.jsonl").write_text('{"n":1}\n{"n":2}\n{"n":3}\n', encoding="utf-8")
        (self.directory / "files/.hidden").write_text("not an object", encoding="utf-8")
        run = ["simulate", definition, "--model", model, "--json"]
        made = json.loads(self.call(*run, "--objects", self.directory / "files").stdout)
        self.assertEqual(made["statuses"], {"SUCCEEDED": 1})
        self.assertEqual(made["runs"][0]["durationMillis"], 30_000)
        self.assertEqual(json.loads(self.call(*run).stdout)["errors"], {"States.ItemReaderFailed": 1})
        (self.directory / "files/stray").write_text("", encoding="utf-8")
        self.assertIn("is in no bucket", self.call(*run, "--objects", self.directory / "files", code=2).stderr)
        self.assertIn("can't read", self.call(*run, "--objects", self.directory / "none", code=2).stderr)

    def test_a_timeline(self):
        shown = self.call("simulate", ROOT / "examples/parallel-and-map/definition.json", "-i", ROOT / "examples/parallel-and-map/input.json",
                          "--svg", self.directory / "t.svg").stdout
        rows = [line.split("│")[0].rstrip() for line in shown.splitlines() if "│" in line]
        self.assertEqual(rows[:4], ["  At the same time", "    Each item [0]", "      Heavy? [0]", "      Parcel [0]"])
        picture = xml.etree.ElementTree.parse(self.directory / "t.svg").getroot()
        self.assertEqual(len(picture.findall("{http://www.w3.org/2000/svg}g")), len(rows))
        self.assertFalse(self.home.exists(), "a simulation needs no home")

    def test_what_is_wrong_is_2(self):
        definition = self.write("task.json", self.TASK)
        model = self.write("model.json", {"default": {}})
        for arguments, words in (((definition,), "says nothing of 'Ask'"),
                                 ((definition, "--model", model, "--every", "often", "--until", "1 day"), "--every: "),
                                 ((definition, "--model", model, "--every", "1 day", "--until", "2 days", "--timezone", "Europe/Atlantis"), "Europe/Atlantis"),
                                 ((definition, "--model", model, "--every", "1 day"), "--every needs an end"),
                                 ((definition, "--model", model, "--until", "soon"), "'soon' is neither"),
                                 ((definition, "--model", model, "--runs", "2", "--starts", "2026-01-01T00:00:00Z"), "give one of them"),
                                 (("nowhere.json",), "nowhere.json")):
            self.assertIn(words, self.call("simulate", *arguments, code=2).stderr)


if __name__ == "__main__":
    program.main()
