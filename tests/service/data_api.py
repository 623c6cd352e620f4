#!/usr/bin/env python3
"""Tables and queues through `millrace serve`: their own APIs over HTTP, AWS's clients where they are installed, and
workflows that use them.

Usage: data_api.py MILLRACE
"""

import hashlib
import http.client
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import Server  # noqa: E402

try:
    import boto3
    from boto3.dynamodb.conditions import Key
    from botocore.config import Config
except ImportError:
    boto3 = None

TABLE = {"TableName": "items", "BillingMode": "PAY_PER_REQUEST",
         "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "n", "AttributeType": "N"}],
         "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}]}
ROLE = "arn:aws:iam::123456789012:role/any"


class DataCase(Case):
    def setUp(self):
        super().setUp()
        self.server = Server(self.home)
        self.addCleanup(lambda: self.server.stop())

    def post(self, body, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request("POST", "/", body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, response.headers, text

    def json(self, target, status=200, **request):
        got, headers, text = self.post(json.dumps(request), X_Amz_Target=target, Content_Type="application/x-amz-json-1.0")
        self.assertEqual(got, status, text)
        return json.loads(text), headers

    def tables(self, operation, status=200, **request):
        return self.json("DynamoDB_20120810." + operation, status, **request)[0]

    def queues(self, operation, status=200, **request):
        return self.json("AmazonSQS." + operation, status, **request)[0]

    def form(self, action, status=200, **parameters):
        body = urllib.parse.urlencode({"Action": action, "Version": "2012-11-05", **parameters})
        got, _, text = self.post(body, Content_Type="application/x-www-form-urlencoded; charset=utf-8")
        self.assertEqual(got, status, text)
        return text

    def client(self, service):
        if not boto3:
            self.skipTest("boto3 is not installed")
        return boto3.client(service, endpoint_url=self.server.url, region_name="us-east-1", aws_access_key_id="x",
                            aws_secret_access_key="x", config=Config(retries={"max_attempts": 0}))

    def run_machine(self, name, states):
        definition = {"StartAt": next(iter(states)), "States": states}
        machine = self.server.call("CreateStateMachine", name=name, roleArn=ROLE, definition=json.dumps(definition))
        return self.server.call("StartExecution", stateMachineArn=machine["stateMachineArn"])["executionArn"]

    def ended(self, execution):
        self.wait_for(lambda: self.server.call("DescribeExecution", executionArn=execution)["status"] != "RUNNING", execution)
        return self.server.call("DescribeExecution", executionArn=execution)


class Http(DataCase):
    def test_tables(self):
        self.assertEqual(self.tables("CreateTable", **TABLE)["TableDescription"]["TableStatus"], "ACTIVE")
        item = {"pk": {"S": "a"}, "n": {"N": "1"}}
        self.assertEqual(self.tables("PutItem", TableName="items", Item=item), {})
        self.assertEqual(self.tables("GetItem", TableName="items", Key=item), {"Item": item})
        error, headers = self.json("DynamoDB_20120810.PutItem", 400, TableName="items", Item=item,
                                   ConditionExpression="attribute_not_exists(pk)",
                                   ReturnValuesOnConditionCheckFailure="ALL_OLD")
        self.assertEqual(error, {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "Item": item,
                                 "message": "The conditional request failed"})
        self.assertEqual(len(headers["x-amzn-RequestId"]), 36)
        self.assertEqual(self.tables("Nothing", 400)["__type"], "com.amazon.coral.validate#UnknownOperationException")
        self.assertEqual(self.post("[]", X_Amz_Target="DynamoDB_20120810.GetItem")[0], 400)
        self.assertEqual(self.post("{", X_Amz_Target="DynamoDB_20120810.GetItem")[0], 400)

    def test_queues(self):
        url = self.queues("CreateQueue", QueueName="q")["QueueUrl"]
        self.assertEqual(url, f"{self.server.url}/123456789012/q")
        sent = self.queues("SendMessage", QueueUrl=url, MessageBody="grüße")
        self.assertEqual(sent["MD5OfMessageBody"], hashlib.md5("grüße".encode()).hexdigest())
        got = self.queues("ReceiveMessage", QueueUrl=url)["Messages"][0]
        self.assertEqual((got["Body"], got["MessageId"]), ("grüße", sent["MessageId"]))
        error, headers = self.json("AmazonSQS.SendMessage", 400, QueueUrl=url + "x", MessageBody="x")
        self.assertEqual(error["__type"], "com.amazonaws.sqs#QueueDoesNotExist")
        self.assertEqual(headers["x-amzn-query-error"], "AWS.SimpleQueueService.NonExistentQueue;Sender")

    def test_queues_as_forms(self):
        self.assertIn(f"<QueueUrl>{self.server.url}/123456789012/q</QueueUrl>", self.form(
            "CreateQueue", QueueName="q", **{"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "0"}))
        url = f"{self.server.url}/123456789012/q"
        sent = self.form("SendMessage", QueueUrl=url, MessageBody="a <b> & c", **{
            "MessageAttribute.1.Name": "x", "MessageAttribute.1.Value.DataType": "String",
            "MessageAttribute.1.Value.StringValue": "1 2"})
        self.assertIn(hashlib.md5(b"a <b> & c").hexdigest(), sent)
        self.assertTrue(sent.startswith('<?xml version="1.0"?><SendMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">'))
        got = self.form("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages="10",
                        **{"MessageAttributeName.1": "All", "AttributeName.1": "ApproximateReceiveCount"})
        self.assertIn("<Body>a &lt;b&gt; &amp; c</Body>", got)
        self.assertIn("<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>", got)
        self.assertIn("<MessageAttribute><Name>x</Name><Value><DataType>String</DataType><StringValue>1 2</StringValue></Value>", got)
        batch = self.form("SendMessageBatch", QueueUrl=url, **{
            f"SendMessageBatchRequestEntry.{i}.{name}": value for i in range(1, 11)
            for name, value in (("Id", f"i{i}"), ("MessageBody", f"m{i}"))})
        self.assertEqual(batch.count("<SendMessageBatchResultEntry>"), 10)
        self.assertLess(batch.index("<Id>i2<"), batch.index("<Id>i10<"))
        attributes = self.form("GetQueueAttributes", QueueUrl=url, **{"AttributeName.1": "VisibilityTimeout"})
        self.assertIn("<Attribute><Name>VisibilityTimeout</Name><Value>0</Value></Attribute>", attributes)
        self.assertIn("<QueueUrl>", self.form("ListQueues"))
        error = self.form("GetQueueUrl", 400, QueueName="none")
        self.assertIn("<Code>AWS.SimpleQueueService.NonExistentQueue</Code>", error)
        self.assertEqual(self.post("Action=PurgeQueue&Version=2012-11-05&QueueUrl=q", Content_Type="application/x-www-form-urlencoded",
                                   Origin="https://elsewhere.example")[0], 400)

    def test_a_long_poll_is_answered_when_a_message_comes(self):
        self.queues("CreateQueue", QueueName="q")
        answers = []
        polls = [threading.Thread(target=lambda: answers.append(self.queues("ReceiveMessage", QueueUrl="q", WaitTimeSeconds=10)))
                 for _ in range(5)]
        begin = time.monotonic()
        for poll in polls:
            poll.start()
        time.sleep(0.3)
        for number in range(5):
            self.queues("SendMessage", QueueUrl="q", MessageBody=str(number))
        for poll in polls:
            poll.join()
        self.assertLess(time.monotonic() - begin, 5)
        self.assertEqual(sorted(answer["Messages"][0]["Body"] for answer in answers), list("01234"))
        self.queues("SendMessage", QueueUrl="q", MessageBody="late", DelaySeconds=1)
        self.assertEqual(self.queues("ReceiveMessage", QueueUrl="q", WaitTimeSeconds=10)["Messages"][0]["Body"], "late")
        begin = time.monotonic()
        self.assertEqual(self.queues("ReceiveMessage", QueueUrl="q", WaitTimeSeconds=1), {})
        self.assertGreater(time.monotonic() - begin, 0.9)

    def test_who_went_away_takes_no_message(self):
        self.queues("CreateQueue", QueueName="q")
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port)
        connection.request("POST", "/", json.dumps({"QueueUrl": "q", "WaitTimeSeconds": 20}), {"X-Amz-Target": "AmazonSQS.ReceiveMessage"})
        time.sleep(0.2)
        connection.close()
        time.sleep(0.2)
        self.queues("SendMessage", QueueUrl="q", MessageBody="x")
        self.assertEqual(self.queues("ReceiveMessage", QueueUrl="q")["Messages"][0]["Body"], "x")

    def test_a_poll_does_not_hold_up_the_end(self):
        self.queues("CreateQueue", QueueName="q")
        def ask():
            try:
                self.queues("ReceiveMessage", QueueUrl="q", WaitTimeSeconds=20)
            except OSError:
                pass  # cut off: the server gives answers ten seconds to end

        poll = threading.Thread(target=ask)
        poll.start()
        time.sleep(0.3)
        begin = time.monotonic()
        try:
            self.server.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.server.process.wait(30), 0)
            self.assertLess(time.monotonic() - begin, 25)
        finally:
            poll.join()


class Clients(DataCase):
    def test_boto3_tables(self):
        client = self.client("dynamodb")
        client.create_table(**TABLE)
        client.get_waiter("table_exists").wait(TableName="items")
        table = boto3.resource("dynamodb", endpoint_url=self.server.url, region_name="us-east-1", aws_access_key_id="x",
                               aws_secret_access_key="x").Table("items")
        with table.batch_writer() as batch:
            for number in range(60):
                batch.put_item(Item={"pk": "a", "n": number, "blob": bytes([number]), "tags": {"x", "y"}, "deep": [{"k": None}, True]})
        pages = client.get_paginator("query").paginate(
            TableName="items", KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "a"}}, PaginationConfig={"PageSize": 25})
        self.assertEqual([item["n"]["N"] for page in pages for item in page["Items"]], [str(n) for n in range(60)])
        got = table.query(KeyConditionExpression=Key("pk").eq("a") & Key("n").between(9, 11))["Items"]
        self.assertEqual([(int(item["n"]), item["blob"].value, item["tags"], item["deep"]) for item in got],
                         [(n, bytes([n]), {"x", "y"}, [{"k": None}, True]) for n in (9, 10, 11)])
        new = table.update_item(Key={"pk": "a", "n": 1}, UpdateExpression="ADD hits :one", ExpressionAttributeValues={":one": 2}, ReturnValues="UPDATED_NEW")
        self.assertEqual(int(new["Attributes"]["hits"]), 2)
        with self.assertRaises(client.exceptions.ConditionalCheckFailedException):
            table.put_item(Item={"pk": "a", "n": 1}, ConditionExpression="attribute_not_exists(pk)")
        with self.assertRaises(client.exceptions.TransactionCanceledException) as raised:
            client.transact_write_items(TransactItems=[
                {"Put": {"TableName": "items", "Item": {"pk": {"S": "b"}, "n": {"N": "1"}}}},
                {"ConditionCheck": {"TableName": "items", "Key": {"pk": {"S": "c"}, "n": {"N": "1"}}, "ConditionExpression": "attribute_exists(pk)"}}])
        self.assertEqual([reason["Code"] for reason in raised.exception.response["CancellationReasons"]], ["None", "ConditionalCheckFailed"])
        with self.assertRaises(client.exceptions.ResourceNotFoundException):
            client.describe_table(TableName="none")
        self.assertEqual(client.scan(TableName="items", Select="COUNT")["Count"], 60)
        client.delete_table(TableName="items")
        client.get_waiter("table_not_exists").wait(TableName="items")

    def test_boto3_queues(self):
        client = self.client("sqs")
        dead = client.create_queue(QueueName="dead")["QueueUrl"]
        arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        url = client.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "0", "RedrivePolicy": json.dumps(
            {"deadLetterTargetArn": arn, "maxReceiveCount": 1})})["QueueUrl"]
        # The client checks the digests of what it sends and receives.
        client.send_message(QueueUrl=url, MessageBody="x", MessageAttributes={
            "n": {"DataType": "Number", "StringValue": "1"}, "b": {"DataType": "Binary", "BinaryValue": b"\0\1"}})
        got = client.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"])["Messages"][0]
        self.assertEqual((got["Body"], got["MessageAttributes"]["b"]["BinaryValue"]), ("x", b"\0\1"))
        self.assertEqual(got["Attributes"]["ApproximateReceiveCount"], "1")
        self.assertNotIn("Messages", client.receive_message(QueueUrl=url))
        moved = client.receive_message(QueueUrl=dead)["Messages"][0]
        client.delete_message(QueueUrl=dead, ReceiptHandle=moved["ReceiptHandle"])
        with self.assertRaises(client.exceptions.QueueDoesNotExist):
            client.get_queue_url(QueueName="none")
        sent = client.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": f"m{i}"} for i in range(10)])
        self.assertEqual(len(sent["Successful"]), 10)
        self.assertEqual(sorted(client.list_queues()["QueueUrls"]), sorted([dead, url]))

    def test_command_line(self):
        if not shutil.which("aws"):
            self.skipTest("the AWS command line is not installed")
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
                       "AWS_DEFAULT_REGION": "us-east-1", "HOME": str(self.directory)}

        def aws(*arguments):
            done = subprocess.run([shutil.which("aws"), *arguments, "--endpoint-url", self.server.url, "--output", "json"],
                                  capture_output=True, text=True, env=environment, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout) if done.stdout.strip() else None

        aws("dynamodb", "create-table", "--table-name", "items", "--attribute-definitions", "AttributeName=pk,AttributeType=S",
            "--key-schema", "AttributeName=pk,KeyType=HASH", "--billing-mode", "PAY_PER_REQUEST")
        aws("dynamodb", "put-item", "--table-name", "items", "--item", '{"pk": {"S": "a"}}')
        self.assertEqual(aws("dynamodb", "scan", "--table-name", "items")["Items"], [{"pk": {"S": "a"}}])
        url = aws("sqs", "create-queue", "--queue-name", "q")["QueueUrl"]
        aws("sqs", "send-message", "--queue-url", url, "--message-body", "x")
        self.assertEqual(aws("sqs", "receive-message", "--queue-url", url)["Messages"][0]["Body"], "x")


class Workflows(DataCase):
    def test_a_workflow_counts_guards_and_sends(self):
        self.tables("CreateTable", **{**TABLE, "AttributeDefinitions": TABLE["AttributeDefinitions"][:1], "KeySchema": TABLE["KeySchema"][:1]})
        self.queues("CreateQueue", QueueName="q")
        key = {"pk": {"S": "a"}}
        states = {
            "Count": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:updateItem", "ResultPath": "$.count", "Next": "Guard",
                      "Parameters": {"TableName": "items", "Key": key, "UpdateExpression": "ADD hits :one",
                                     "ExpressionAttributeValues": {":one": {"N": "1"}}, "ReturnValues": "UPDATED_NEW"},
                      "ResultSelector": {"hits.$": "$.Attributes.hits.N"}},
            "Guard": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "Next": "Unreached",
                      "Parameters": {"TableName": "items", "Item": key, "ConditionExpression": "attribute_not_exists(pk)"},
                      "Catch": [{"ErrorEquals": ["DynamoDB.ConditionalCheckFailedException"], "ResultPath": "$.error", "Next": "Send"}]},
            "Unreached": {"Type": "Fail"},
            "Send": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "ResultPath": None, "End": True,
                     "Parameters": {"QueueUrl": "q", "MessageBody": {"hits.$": "$.count.hits"}}}}
        done = self.ended(self.run_machine("count", states))
        self.assertEqual(done["status"], "SUCCEEDED", done)
        self.assertEqual(json.loads(done["output"])["count"], {"hits": "1"})
        self.assertEqual(self.queues("ReceiveMessage", QueueUrl="q")["Messages"][0]["Body"], '{"hits":"1"}')

    def test_a_token_comes_back_through_a_queue(self):
        self.queues("CreateQueue", QueueName="q")
        execution = self.run_machine("ask", {"Ask": {
            "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True,
            "Parameters": {"QueueUrl": "q", "MessageBody": {"token.$": "$$.Task.Token"}}}})
        message = self.queues("ReceiveMessage", QueueUrl="q", WaitTimeSeconds=10)["Messages"][0]
        self.assertEqual(self.server.call("DescribeExecution", executionArn=execution)["status"], "RUNNING")
        self.server.call("SendTaskSuccess", taskToken=json.loads(message["Body"])["token"], output='{"ok": true}')
        self.assertEqual(json.loads(self.ended(execution)["output"]), {"ok": True})

    def test_additions_survive_kills_and_are_made_once(self):
        self.tables("CreateTable", **{**TABLE, "AttributeDefinitions": TABLE["AttributeDefinitions"][:1], "KeySchema": TABLE["KeySchema"][:1]})
        add = {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:updateItem", "ResultPath": None, "End": True,
               "Parameters": {"TableName": "items", "Key": {"pk": {"S": "a"}}, "UpdateExpression": "ADD hits :one",
                              "ExpressionAttributeValues": {":one": {"N": "1"}}}}
        count = 400
        machine = self.server.call("CreateStateMachine", name="add", roleArn=ROLE, definition=json.dumps({
            "StartAt": "Each", "States": {"Each": {"Type": "Map", "MaxConcurrency": 8, "ResultPath": None, "End": True,
                                                   "ItemProcessor": {"StartAt": "Add", "States": {"Add": add}}}}}))
        execution = self.server.call("StartExecution", stateMachineArn=machine["stateMachineArn"],
                                     input=json.dumps(list(range(count))))["executionArn"]
        for pause in (0.05, 0.1, 0.2):
            time.sleep(pause)
            self.server.stop(signal.SIGKILL)
            self.server = Server(self.home)
        done = self.ended(execution)
        self.assertEqual(done["status"], "SUCCEEDED", done)
        item = self.tables("GetItem", TableName="items", Key={"pk": {"S": "a"}})["Item"]
        self.assertEqual(item["hits"]["N"], str(count))


if __name__ == "__main__":
    program.main()
