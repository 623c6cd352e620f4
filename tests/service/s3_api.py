#!/usr/bin/env python3
"""Objects through `millrace serve`: S3's REST API with a raw client and with AWS's own where they are installed, files
that are dropped into buckets, and what is left when the server is killed.

Usage: s3_api.py MILLRACE [CASE...]
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from program import Case  # noqa: E402
from server import Server  # noqa: E402

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError
except ImportError:
    boto3 = None

MIB = 1 << 20


def md5(data):
    return hashlib.md5(data).hexdigest()


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def xml(self):
        """The document, without its namespace."""
        root = ElementTree.fromstring(self.body)
        for node in root.iter():
            node.tag = node.tag.rsplit("}", 1)[-1]
        return root


class ObjectCase(Case):
    options = ("--set", "objects.settle=300ms")

    def setUp(self):
        super().setUp()
        self.key = None
        self.serve()
        self.addCleanup(lambda: self.server.stop())

    def serve(self):
        self.server = Server(self.home, *self.options, log=self.directory / "log.txt")

    def ask(self, method, target, body=b"", status=200, host=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if host:
            names["Host"] = host
        connection.request(method, target, body, names, encode_chunked="Transfer-Encoding" in names)
        answer = Answer(connection.getresponse())
        connection.close()
        if status is not None:
            self.assertEqual(answer.status, status, f"{method} {target}: {answer.body[:600]}")
        return answer

    def refused(self, status, code, method, target, body=b"", **headers):
        answer = self.ask(method, target, body, status, **headers)
        if method != "HEAD":
            self.assertEqual(answer.xml().findtext("Code"), code)
        return answer

    @property
    def objects(self):
        return self.home / "objects"

    def events(self):
        """What the log of events holds of objects: (detail-type, key, detail)."""
        path = self.home / "events.db"
        if not path.exists():
            return []
        database = sqlite3.connect(path, timeout=20)
        try:
            rows = [json.loads(row[0]) for row in database.execute("SELECT document FROM event ORDER BY number")]
        except sqlite3.OperationalError:  # being made
            rows = []
        finally:
            database.close()
        return [(row["detail-type"], row["detail"]["object"]["key"], row) for row in rows if row["source"] == "aws.s3"]

    def event_names(self):
        return [(kind.removeprefix("Object "), key) for kind, key, _ in self.events()]

    def keys(self, query="", bucket="data"):
        answer = self.ask("GET", f"/{bucket}?list-type=2{query}").xml()
        return [node.findtext("Key") for node in answer.iter("Contents")]

    def left_over(self):
        """Files of uploads that nobody finished."""
        return [path for path in (self.objects / ".uploads").glob("**/*") if path.is_file()]


class Objects(ObjectCase):
    def setUp(self):
        super().setUp()
        self.ask("PUT", "/data")

    def test_put_get_head_delete(self):
        body = os.urandom(300_000)
        put = self.ask("PUT", "/data/a/b%20%C3%BC.bin", body, Content_Type="text/x", x_amz_meta_Who="me", Cache_Control="no-cache")
        self.assertEqual(put.headers["ETag"], f'"{md5(body)}"')
        self.assertEqual((self.objects / "data/a/b ü.bin").read_bytes(), body)
        got = self.ask("GET", "/data/a/b%20%C3%BC.bin")
        self.assertEqual(got.body, body)
        for name, value in (("Content-Type", "text/x"), ("x-amz-meta-who", "me"), ("Cache-Control", "no-cache"),
                            ("ETag", f'"{md5(body)}"'), ("Content-Length", "300000"), ("Accept-Ranges", "bytes")):
            self.assertEqual(got.headers[name], value)
        head = self.ask("HEAD", "/data/a/b%20%C3%BC.bin")
        self.assertEqual((head.body, head.headers["Content-Length"], head.headers["ETag"]), (b"", "300000", f'"{md5(body)}"'))
        self.assertEqual(self.ask("GET", "/data/a/b%20%C3%BC.bin?response-content-type=a/b").headers["Content-Type"], "a/b")
        self.assertEqual(self.ask("GET", "/data/a/b%20%C3%BC.bin", x_amz_object_attributes="ETag,ObjectSize", status=200).body, body)
        attributes = self.ask("GET", "/data/a/b%20%C3%BC.bin?attributes", x_amz_object_attributes="ETag,ObjectSize").xml()
        self.assertEqual((attributes.findtext("ETag"), attributes.findtext("ObjectSize")), (md5(body), "300000"))
        self.ask("DELETE", "/data/a/b%20%C3%BC.bin", status=204)
        self.ask("DELETE", "/data/a/b%20%C3%BC.bin", status=204)
        self.assertFalse((self.objects / "data/a").exists())
        self.refused(404, "NoSuchKey", "GET", "/data/a/b%20%C3%BC.bin")
        self.refused(404, "", "HEAD", "/data/a/b%20%C3%BC.bin")
        empty = self.ask("PUT", "/data/empty", b"")
        self.assertEqual(empty.headers["ETag"], f'"{md5(b"")}"')
        self.assertEqual(self.ask("GET", "/data/empty").body, b"")

    def test_large_bodies_both_ways(self):
        body = os.urandom(5 * MIB + 17)
        self.ask("PUT", "/data/large", body)
        self.assertEqual(self.ask("GET", "/data/large").body, body)
        self.assertEqual(self.ask("GET", "/data/large", status=206, Range="bytes=1000000-3999999").body, body[1_000_000:4_000_000])
        chunks = self.ask("PUT", "/data/chunks", iter([body[:100], body[100:4 * MIB], body[4 * MIB:]]), Transfer_Encoding="chunked")
        self.assertEqual(chunks.headers["ETag"], f'"{md5(body)}"')

    def test_ranges_and_conditions(self):
        tag = self.ask("PUT", "/data/x", b"0123456789").headers["ETag"]
        for text, part, shown in (("bytes=2-4", b"234", "bytes 2-4/10"), ("bytes=7-", b"789", "bytes 7-9/10"),
                                  ("bytes=-2", b"89", "bytes 8-9/10"), ("bytes=5-99", b"56789", "bytes 5-9/10")):
            got = self.ask("GET", "/data/x", status=206, Range=text)
            self.assertEqual((got.body, got.headers["Content-Range"]), (part, shown))
        self.assertEqual(self.ask("GET", "/data/x", Range="lines=1-2").body, b"0123456789")
        self.refused(416, "InvalidRange", "GET", "/data/x", Range="bytes=10-")
        self.assertEqual(self.ask("GET", "/data/x", If_Match=tag).body, b"0123456789")
        self.refused(412, "PreconditionFailed", "GET", "/data/x", If_Match='"other"')
        self.assertEqual(self.ask("GET", "/data/x", status=304, If_None_Match=tag).body, b"")
        changed = self.ask("HEAD", "/data/x").headers["Last-Modified"]
        self.ask("GET", "/data/x", status=304, If_Modified_Since=changed)
        self.ask("GET", "/data/x", If_Unmodified_Since=changed)
        self.refused(412, "PreconditionFailed", "GET", "/data/x", If_Unmodified_Since="Sat, 01 Jan 2000 00:00:00 GMT")
        self.refused(412, "PreconditionFailed", "PUT", "/data/x", b"new", If_None_Match="*")
        self.refused(412, "PreconditionFailed", "PUT", "/data/x", b"new", If_Match='"other"')
        self.refused(404, "NoSuchKey", "PUT", "/data/nothing", b"new", If_Match=tag)
        self.ask("PUT", "/data/x", b"new", If_Match=tag)
        self.ask("PUT", "/data/y", b"new", If_None_Match="*")
        # Of many that want to be the first, one is.
        answers = []
        def put(): answers.append(self.ask("PUT", "/data/race", os.urandom(1000), status=None, If_None_Match="*").status)
        threads = [threading.Thread(target=put) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        self.assertEqual(sorted(answers), [200] + [412] * 7)
        self.assertEqual(self.left_over(), [])

    def test_what_the_client_says_of_a_body_is_checked(self):
        body = b"some bytes"
        good = {"Content_MD5": base64.b64encode(hashlib.md5(body).digest()).decode(),
                "x_amz_checksum_crc32": base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode(),
                "x_amz_content_sha256": hashlib.sha256(body).hexdigest()}
        put = self.ask("PUT", "/data/x", body, **good)
        self.assertEqual(put.headers["x-amz-checksum-crc32"], good["x_amz_checksum_crc32"])
        self.assertEqual(self.ask("GET", "/data/x", x_amz_checksum_mode="ENABLED").headers["x-amz-checksum-crc32"], good["x_amz_checksum_crc32"])
        self.assertIsNone(self.ask("GET", "/data/x").headers["x-amz-checksum-crc32"])
        self.refused(400, "BadDigest", "PUT", "/data/y", b"other", Content_MD5=good["Content_MD5"])
        self.refused(400, "InvalidDigest", "PUT", "/data/y", b"other", Content_MD5="xx")
        self.refused(400, "BadDigest", "PUT", "/data/y", b"other", x_amz_checksum_crc32=good["x_amz_checksum_crc32"])
        self.refused(400, "XAmzContentSHA256Mismatch", "PUT", "/data/y", b"other", x_amz_content_sha256=good["x_amz_content_sha256"])
        self.refused(501, "NotImplemented", "PUT", "/data/y", b"other", x_amz_tagging="a=b")
        self.refused(400, "MetadataTooLarge", "PUT", "/data/y", b"other", x_amz_meta_a="x" * 2100)
        self.refused(404, "NoSuchKey", "GET", "/data/y")
        self.assertEqual(self.left_over(), [])

    def chunked(self, path, chunks, trailer=None, ending=b"0\r\n", status=200, mode="STREAMING-UNSIGNED-PAYLOAD-TRAILER", **headers):
        wire = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + ending
        wire += b"".join(b"%s:%s\r\n" % (name, value) for name, value in (trailer or {}).items()) + b"\r\n"
        if trailer:
            headers["x_amz_trailer"] = next(iter(trailer)).decode()
        return self.ask("PUT", path, wire, status, x_amz_content_sha256=mode, Content_Encoding="aws-chunked",
                        x_amz_decoded_content_length=str(sum(map(len, chunks))), **headers)

    def test_bodies_in_aws_chunks(self):
        data = [os.urandom(70_000), b"x", os.urandom(MIB)]
        crc = base64.b64encode(zlib.crc32(b"".join(data)).to_bytes(4, "big"))
        put = self.chunked("/data/c", data, {b"x-amz-checksum-crc32": crc})
        self.assertEqual((put.headers["ETag"], put.headers["x-amz-checksum-crc32"]), (f'"{md5(b"".join(data))}"', crc.decode()))
        got = self.ask("GET", "/data/c")
        self.assertEqual((got.body, got.headers["Content-Encoding"]), (b"".join(data), None))
        for name, value in ((b"x-amz-checksum-crc32c", b"yZRlqg=="), (b"x-amz-checksum-crc64nvme", b"jSnVw/bqjr4="),
                            (b"x-amz-checksum-sha256", base64.b64encode(hashlib.sha256(b"hello world").digest()))):
            self.chunked("/data/h", [b"hello ", b"world"], {name: value})
        self.assertEqual(self.chunked("/data/bad", [b"hello"], {b"x-amz-checksum-crc32": crc}, status=400).xml().findtext("Code"), "BadDigest")
        self.assertEqual(self.chunked("/data/bad", [b"hello"], status=400, ending=b"zz\r\n").xml().findtext("Code"), "IncompleteBody")
        short = self.ask("PUT", "/data/bad", b"5\r\nhello\r\n0\r\n\r\n", 400, x_amz_content_sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                         x_amz_decoded_content_length="6")
        self.assertEqual(short.xml().findtext("Code"), "IncompleteBody")
        self.assertEqual(self.keys("&prefix=bad"), [])

    def test_copies(self):
        tag = self.ask("PUT", "/data/x", b"bytes", Content_Type="text/a", x_amz_meta_a="1").headers["ETag"]
        copy = self.ask("PUT", "/data/d/y", x_amz_copy_source="/data/x").xml()
        self.assertEqual(copy.findtext("ETag"), tag)
        got = self.ask("GET", "/data/d/y")
        self.assertEqual((got.body, got.headers["Content-Type"], got.headers["x-amz-meta-a"]), (b"bytes", "text/a", "1"))
        self.refused(400, "InvalidRequest", "PUT", "/data/x", x_amz_copy_source="data/x")
        self.ask("PUT", "/data/x", x_amz_copy_source="data/x", x_amz_metadata_directive="REPLACE", x_amz_meta_b="2")
        got = self.ask("GET", "/data/x")
        self.assertEqual((got.body, got.headers["x-amz-meta-a"], got.headers["x-amz-meta-b"]), (b"bytes", None, "2"))
        self.refused(404, "NoSuchKey", "PUT", "/data/z", x_amz_copy_source="data/nothing")
        self.refused(412, "PreconditionFailed", "PUT", "/data/z", x_amz_copy_source="data/x", x_amz_copy_source_if_match='"other"')

    def test_listings(self):
        names = ["a", "b-c", "b/1", "b/2", "b/deep/3", "b0", "c d+e&f", "ü/1"]
        for name in names:
            self.ask("PUT", "/data/" + urllib.parse.quote(name), name.encode())
        in_order = sorted(names, key=lambda name: name.encode())
        self.assertEqual(self.keys(), in_order)
        self.assertEqual(self.keys("&prefix=b"), ["b-c", "b/1", "b/2", "b/deep/3", "b0"])
        self.assertEqual(self.keys("&prefix=b/"), ["b/1", "b/2", "b/deep/3"])
        self.assertEqual(self.keys("&start-after=b/2"), in_order[in_order.index("b/2") + 1:])
        self.assertEqual(self.keys("&prefix=../"), [])
        self.assertEqual(self.keys("&encoding-type=url&prefix=c"), ["c%20d%2Be%26f"])
        for version in ("&list-type=2", ""):
            for delimiter in ("", "&delimiter=/"):
                for size in (1, 2, 3, 1000):
                    seen, groups, token = [], [], ""
                    for _ in range(20):
                        page = self.ask("GET", f"/data?max-keys={size}{version}{delimiter}{token}", x_amz_content_sha256="UNSIGNED-PAYLOAD").xml()
                        keys = [node.findtext("Key") for node in page.iter("Contents")]
                        prefixes = [node.findtext("Prefix") for node in page.iter("CommonPrefixes")]
                        self.assertLessEqual(len(keys) + len(prefixes), size)
                        seen, groups = seen + keys, groups + prefixes
                        if page.findtext("IsTruncated") == "false":
                            break
                        last = page.findtext("NextContinuationToken") if version else page.findtext("NextMarker") or keys[-1]
                        token = f"&{'continuation-token' if version else 'marker'}=" + urllib.parse.quote(last)
                    if delimiter:
                        self.assertEqual((seen, groups), (["a", "b-c", "b0", "c d+e&f"], ["b/", "ü/"]), (version, size))
                    else:
                        self.assertEqual(seen, in_order)
        one = self.ask("GET", "/data?list-type=2&prefix=b/1").xml().find("Contents")
        self.assertEqual((one.findtext("ETag"), one.findtext("Size"), one.findtext("StorageClass")), (f'"{md5(b"b/1")}"', "3", "STANDARD"))
        self.refused(400, "InvalidArgument", "GET", "/data?list-type=2&max-keys=x")
        self.assertEqual(self.keys("&max-keys=0"), [])

    def test_a_large_folder_is_listed_in_pages(self):
        folder = self.objects / "data/many"
        folder.mkdir()
        for i in range(2500):
            (folder / f"{i:05}").write_bytes(b"%d" % i)
        seen, token = [], ""
        while True:
            page = self.ask("GET", "/data?list-type=2&prefix=many/" + token).xml()
            seen += [node.findtext("Key") for node in page.iter("Contents")]
            if page.findtext("IsTruncated") == "false":
                break
            token = "&continuation-token=" + urllib.parse.quote(page.findtext("NextContinuationToken"))
        self.assertEqual(seen, [f"many/{i:05}" for i in range(2500)])

    def test_many_are_deleted(self):
        for name in ("a", "b/c", "keep"):
            self.ask("PUT", "/data/" + name, b"x")
        body = "<Delete>" + "".join(f"<Object><Key>{key}</Key></Object>" for key in ("a", "b/c", "nothing")) + "</Delete>"
        answer = self.ask("POST", "/data?delete", body.encode()).xml()
        self.assertEqual([node.findtext("Key") for node in answer.iter("Deleted")], ["a", "b/c", "nothing"])
        self.assertEqual(self.keys(), ["keep"])
        for wrong in (b"", b"<Delete/>", b"<Delete><Object></Object></Delete>", b"<Other/>",
                      b'<!DOCTYPE x [<!ENTITY e "keep">]><Delete><Object><Key>&e;</Key></Object></Delete>'):
            self.refused(400, "MalformedXML", "POST", "/data?delete", wrong)
        self.assertEqual(self.keys(), ["keep"])

    def test_keys_that_no_file_can_have(self):
        for key in ("../x", "a/../../x", "a//b", "./a", "a/", "%00", "a%0Ab", "x" * 300):
            answer = self.ask("PUT", "/data/" + key, b"x", status=None)
            self.assertEqual(answer.status, 400, (key, answer.body))
            self.ask("GET", "/data/" + key, status=404)
            self.ask("DELETE", "/data/" + key, status=204)
        self.ask("PUT", "/data/a", b"x")
        answer = self.refused(400, "InvalidRequest", "PUT", "/data/a/b", b"x")
        self.assertIn("Objects are files here", answer.xml().findtext("Message"))
        self.ask("PUT", "/data/p/q", b"x")
        self.refused(400, "InvalidRequest", "PUT", "/data/p", b"x")
        self.assertEqual(self.keys(), ["a", "p/q"])
        secret = self.directory / "secret"
        secret.write_text("secret", encoding="utf-8")
        (self.objects / "data/link").symlink_to(secret)
        (self.objects / "data/links").symlink_to(self.directory)
        for key in ("link", "links/secret"):
            self.refused(404, "NoSuchKey", "GET", "/data/" + key)
        self.assertNotEqual(self.ask("PUT", "/data/links/secret", b"x", status=None).status, 200)
        self.assertEqual((self.keys(), self.keys("&prefix=links/"), secret.read_text(encoding="utf-8")), (["a", "p/q"], [], "secret"))

    def test_buckets(self):
        self.assertEqual(self.ask("HEAD", "/data").headers["x-amz-bucket-region"], "us-east-1")
        self.refused(409, "BucketAlreadyOwnedByYou", "PUT", "/data")
        for name in ("ab", "Upper", "-x-", "a..b", "a_b"):
            self.refused(400, "InvalidBucketName", "PUT", "/" + name)
        self.ask("PUT", "/other", b"<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>")
        (self.objects / "folder").mkdir()
        names = [node.text for node in self.ask("GET", "/", x_amz_content_sha256="UNSIGNED-PAYLOAD").xml().iter("Name")]
        self.assertEqual(names, ["data", "folder", "other"])
        self.ask("PUT", "/data/x", b"x")
        self.refused(409, "BucketNotEmpty", "DELETE", "/data")
        self.ask("DELETE", "/data/x", status=204)
        (self.objects / "data/empty/folders").mkdir(parents=True)
        self.ask("DELETE", "/data", status=204)
        self.refused(404, "NoSuchBucket", "GET", "/data?list-type=2")
        self.refused(404, "NoSuchBucket", "PUT", "/data/x", b"x")
        self.refused(404, "", "HEAD", "/data")
        self.refused(501, "NotImplemented", "GET", "/other?acl")
        self.assertEqual(self.ask("GET", "/other?location").xml().text, None)
        self.assertEqual(list(self.ask("GET", "/other?versioning").xml()), [])
        # The bucket in the name of the host.
        self.ask("PUT", "/k/1", b"there", host="other.localhost:1")
        self.assertEqual(self.ask("GET", "/k/1", host="other.s3.localhost").body, b"there")
        self.assertEqual(self.ask("GET", "/other/k/1", host="s3.localhost").body, b"there")

    def test_multipart_uploads(self):
        begun = self.ask("POST", "/data/big?uploads", Content_Type="text/big", x_amz_meta_a="1").xml()
        upload = begun.findtext("UploadId")
        parts = [os.urandom(5 * MIB), os.urandom(5 * MIB), b"the end"]
        tags = {}
        for number, part in enumerate(parts, 1):
            tags[number] = self.ask("PUT", f"/data/big?partNumber={number}&uploadId={upload}", part).headers["ETag"]
        self.assertEqual(tags[3], f'"{md5(parts[2])}"')
        self.assertEqual(self.keys(), [])
        listed = self.ask("GET", f"/data/big?uploadId={upload}").xml()
        self.assertEqual([node.findtext("Size") for node in listed.iter("Part")], [str(len(part)) for part in parts])
        self.assertEqual([node.findtext("UploadId") for node in self.ask("GET", "/data?uploads").xml().iter("Upload")], [upload])
        def completion(numbers, tags=tags):
            return ("<CompleteMultipartUpload>" + "".join(
                f"<Part><PartNumber>{n}</PartNumber><ETag>{tags[n]}</ETag></Part>" for n in numbers) + "</CompleteMultipartUpload>").encode()
        target = f"/data/big?uploadId={upload}"
        self.refused(400, "InvalidPart", "POST", target, completion([1, 2], {1: tags[1], 2: tags[1]}))
        self.refused(400, "InvalidPartOrder", "POST", target, completion([2, 1]))
        self.refused(400, "EntityTooSmall", "POST", target, completion([3], tags) .replace(b"</CompleteMultipartUpload>", b"") + b"".join(
            [f"<Part><PartNumber>4</PartNumber><ETag>{self.ask('PUT', f'/data/big?partNumber=4&uploadId={upload}', b'x').headers['ETag']}</ETag></Part>".encode(),
             b"</CompleteMultipartUpload>"]))
        self.refused(400, "MalformedXML", "POST", target, b"<x")
        done = self.ask("POST", target, completion([1, 2, 3])).xml()
        expected = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest() + "-3"
        self.assertEqual(done.findtext("ETag"), f'"{expected}"')
        again = self.ask("POST", target, completion([1, 2, 3])).xml()
        self.assertEqual(again.findtext("ETag"), f'"{expected}"')
        got = self.ask("GET", "/data/big")
        self.assertEqual((got.body, got.headers["ETag"], got.headers["Content-Type"]), (b"".join(parts), f'"{expected}"', "text/big"))
        self.assertNotIn("millrace", str(got.headers).lower())
        self.assertEqual(self.left_over(), [])
        self.wait_for(lambda: ("Created", "big") in self.event_names(), "its event")
        self.assertEqual([row["detail"]["reason"] for _, key, row in self.events() if key == "big"], ["CompleteMultipartUpload"])
        # Out of parts of another object, and given up.
        upload = self.ask("POST", "/data/part?uploads").xml().findtext("UploadId")
        copied = self.ask("PUT", f"/data/part?partNumber=1&uploadId={upload}", x_amz_copy_source="data/big", x_amz_copy_source_range="bytes=0-9").xml()
        self.assertEqual(copied.findtext("ETag"), f'"{md5(parts[0][:10])}"')
        self.ask("DELETE", f"/data/part?uploadId={upload}", status=204)
        self.refused(404, "NoSuchUpload", "PUT", f"/data/part?partNumber=1&uploadId={upload}", b"x")
        self.refused(404, "NoSuchUpload", "GET", "/data/part?uploadId=../..")
        self.assertEqual(self.left_over(), [])

    def test_a_cut_upload_leaves_nothing(self):
        with socket.create_connection(("127.0.0.1", self.server.port)) as client:
            client.sendall(b"PUT /data/cut HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 2_000_000)
            self.wait_for(self.left_over, "the upload to begin")
        self.wait_for(lambda: not self.left_over(), "the upload to end")
        self.refused(404, "NoSuchKey", "GET", "/data/cut")
        # One that waits to be told to go on, and one that is refused before its body.
        with socket.create_connection(("127.0.0.1", self.server.port)) as client:
            client.sendall(b"PUT /data/go HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            self.assertEqual(client.recv(1000), b"HTTP/1.1 100 Continue\r\n\r\n")
            client.sendall(b"abc")
            self.assertTrue(client.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n"))
            client.sendall(b"PUT /nowhere/go HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            self.assertTrue(client.recv(1000).startswith(b"HTTP/1.1 404 Not Found\r\n"))
        # An empty object: S3 says it there, too, and boto3 hangs in the connection's next request without it.
        with socket.create_connection(("127.0.0.1", self.server.port)) as client:
            stream = client.makefile("rb")
            client.sendall(b"PUT /data/empty HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n")
            self.assertEqual(stream.readline() + stream.readline(), b"HTTP/1.1 100 Continue\r\n\r\n")
            self.assertEqual(stream.readline(), b"HTTP/1.1 200 OK\r\n")

    def test_memory_does_not_grow_with_bodies(self):
        def rss():
            status = Path(f"/proc/{self.server.process.pid}/status").read_text(encoding="utf-8")
            return int(status.split("VmHWM:")[1].split()[0]) // 1024
        self.ask("PUT", "/data/warm", b"x" * MIB)
        before = rss()
        piece = os.urandom(MIB)
        self.ask("PUT", "/data/huge", (piece for _ in range(200)), Transfer_Encoding="chunked")
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request("GET", "/data/huge")
        response, got = connection.getresponse(), 0
        while part := response.read(MIB):
            got += len(part)
            if got == MIB:
                time.sleep(0.5)  # a client that reads slowly holds up nothing but itself
        connection.close()
        self.assertEqual(got, 200 * MIB)
        self.assertLess(rss() - before, 60)


class Events(ObjectCase):
    """Files that come, change and go by themselves."""

    def setUp(self):
        super().setUp()
        self.bucket = self.objects / "data"
        self.bucket.mkdir(parents=True)

    def is_published(self, *names):
        self.wait_for(lambda: [name for name in self.event_names()] == list(names), f"{names}, not {self.event_names()}")

    def test_what_an_event_says(self):
        self.ask("PUT", "/data/in/x.csv", b"12345")
        self.is_published(("Created", "in/x.csv"))
        self.ask("DELETE", "/data/in/x.csv", status=204)
        self.is_published(("Created", "in/x.csv"), ("Deleted", "in/x.csv"))
        created, deleted = (row for _, _, row in self.events())
        self.assertEqual((created["version"], created["source"], created["resources"], created["region"], created["account"]),
                         ("0", "aws.s3", ["arn:aws:s3:::data"], "us-east-1", "123456789012"))
        detail = created["detail"]
        self.assertEqual({**detail["object"], "sequencer": ""}, {"key": "in/x.csv", "size": 5, "etag": md5(b"12345"), "sequencer": ""})
        self.assertEqual((detail["bucket"], detail["reason"], detail["requester"]), ({"name": "data"}, "PutObject", "123456789012"))
        self.assertEqual((deleted["detail"]["reason"], deleted["detail"]["deletion-type"]), ("DeleteObject", "Permanently Deleted"))
        self.assertLess(detail["object"]["sequencer"], deleted["detail"]["object"]["sequencer"])

    def test_files_that_are_dropped(self):
        (self.bucket / "a.csv").write_bytes(b"one")
        self.is_published(("Created", "a.csv"))
        self.assertEqual(self.events()[0][2]["detail"]["object"]["etag"], md5(b"one"))
        # Renamed into the bucket: at once.
        whole = self.directory / "whole"
        whole.write_bytes(b"two")
        begun = time.monotonic()
        whole.rename(self.bucket / "b.csv")
        self.is_published(("Created", "a.csv"), ("Created", "b.csv"))
        self.assertLess(time.monotonic() - begun, 0.29)
        # A folder with what is in it; changes; what goes.
        folder = self.directory / "folder"
        (folder / "deep").mkdir(parents=True)
        (folder / "deep/c").write_bytes(b"three")
        folder.rename(self.bucket / "folder")
        self.wait_for(lambda: ("Created", "folder/deep/c") in self.event_names(), "the folder")
        (self.bucket / "folder/deep/later").write_bytes(b"x")
        self.wait_for(lambda: ("Created", "folder/deep/later") in self.event_names(), "a file in it")
        (self.bucket / "a.csv").write_bytes(b"changed")
        self.wait_for(lambda: self.event_names().count(("Created", "a.csv")) == 2, "the change")
        (self.bucket / "b.csv").rename(self.bucket / "c.csv")
        (self.bucket / "folder").rename(self.directory / "away")
        for name in (("Deleted", "b.csv"), ("Created", "c.csv"), ("Deleted", "folder/deep/c"), ("Deleted", "folder/deep/later")):
            self.wait_for(lambda: name in self.event_names(), name)
        time.sleep(0.6)
        self.assertEqual(len(self.event_names()), 9)

    def test_a_file_that_is_written_slowly_is_one_event(self):
        with open(self.bucket / "slow", "wb", buffering=0) as file:
            for _ in range(6):
                file.write(b"x" * 1000)
                time.sleep(0.25)
            time.sleep(0.8)  # longer than it takes to settle, but still open
            file.write(b"x")
        self.is_published(("Created", "slow"))
        self.assertEqual(self.events()[0][2]["detail"]["object"]["size"], 6001)
        # Written in pieces, closed between.
        for i in range(5):
            with open(self.bucket / "pieces", "ab") as file:
                file.write(b"x")
            time.sleep(0.1)
        self.is_published(("Created", "slow"), ("Created", "pieces"))

    def test_what_happened_while_nobody_looked(self):
        self.ask("PUT", "/data/known", b"1")
        self.ask("PUT", "/data/goes", b"1")
        self.ask("PUT", "/data/changes", b"1")
        self.wait_for(lambda: len(self.events()) == 3, "the events")
        self.server.kill()
        (self.bucket / "goes").unlink()
        (self.bucket / "changes").write_bytes(b"22")
        (self.bucket / "comes").write_bytes(b"3")
        for _ in range(2):
            self.serve()
            self.wait_for(lambda: len(self.events()) >= 6, "the scan")
            self.ask("GET", "/data/known")
            time.sleep(0.5)
            self.server.kill()
        self.assertEqual(sorted(self.event_names()[3:]), [("Created", "changes"), ("Created", "comes"), ("Deleted", "goes")])
        self.serve()

    def test_objects_older_than_the_catalog_are_no_news(self):
        self.server.stop()
        for path in self.home.glob("objects.db*"):
            path.unlink()
        (self.bucket / "old").write_bytes(b"old")
        self.serve()
        (self.bucket / "new").write_bytes(b"new")
        self.is_published(("Created", "new"))
        self.assertEqual(self.ask("GET", "/data/old").headers["ETag"], f'"{md5(b"old")}"')

    def test_what_workflows_write(self):
        definition = {"StartAt": "Put", "States": {"Put": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:putObject",
                      "Parameters": {"Bucket": "data", "Key": "from/workflow.json", "Body": {"a": 1}}, "End": True}}}
        machine = self.server.call("CreateStateMachine", name="put", roleArn="arn:aws:iam::123456789012:role/any", definition=json.dumps(definition))
        self.server.call("StartExecution", stateMachineArn=machine["stateMachineArn"])
        self.is_published(("Created", "from/workflow.json"))
        self.assertEqual(json.loads(self.ask("GET", "/data/from/workflow.json").body), {"a": 1})

    def test_a_backup_brings_no_news(self):
        (self.bucket / "x").write_bytes(b"x")
        self.ask("PUT", "/data/y", b"y", Content_Type="text/y")
        self.wait_for(lambda: len(self.events()) == 2, "the events")
        self.call("backup", self.directory / "backup")
        self.server.stop()
        shutil.rmtree(self.home)
        self.call("restore", self.directory / "backup")
        self.serve()
        (self.bucket / "z").write_bytes(b"z")
        self.wait_for(lambda: ("Created", "z") in self.event_names(), "the new one")
        self.assertEqual(sorted(self.event_names()), [("Created", "x"), ("Created", "y"), ("Created", "z")])
        self.assertEqual(self.ask("GET", "/data/y").headers["Content-Type"], "text/y")


class Crashes(ObjectCase):
    """kill -9 at any instant: what was acknowledged is there, nothing is torn, and each object is one event."""

    rounds = int(os.environ.get("MILLRACE_CRASH_ROUNDS", "6"))

    def put_and_drop(self, number, stop, done):
        """Puts and drops objects of their own until the server dies; who was acknowledged is in `done`."""
        random_ = random.Random(number)
        for i in range(10_000):
            if stop.is_set():
                return
            name, body = f"t{number}-{i}", random_.randbytes(random_.choice([10, 5000, 300_000]))
            try:
                if number % 3 == 0:
                    part = self.directory / f"drop-{name}"
                    part.write_bytes(body)
                    part.rename(self.objects / "data" / name)
                elif number % 3 == 1:
                    self.ask("PUT", "/data/" + name, body, x_amz_meta_name=name)
                else:
                    upload = self.ask("POST", f"/data/{name}?uploads", x_amz_meta_name=name).xml().findtext("UploadId")
                    tag = self.ask("PUT", f"/data/{name}?partNumber=1&uploadId={upload}", body).headers["ETag"]
                    self.ask("POST", f"/data/{name}?uploadId={upload}",
                             f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>".encode())
                done[name] = body
            except (OSError, http.client.HTTPException):
                done.setdefault("?" + name, body)
                return
            if number % 3 == 0:
                time.sleep(0.01)

    def test_killed_while_objects_come(self):
        self.ask("PUT", "/data")
        everything, perhaps = {}, {}
        for round_ in range(self.rounds):
            stop, done = threading.Event(), {}
            threads = [threading.Thread(target=self.put_and_drop, args=(round_ * 6 + i, stop, done)) for i in range(6)]
            [thread.start() for thread in threads]
            time.sleep(0.2 + random.Random(round_).random() * 0.8)
            self.server.kill()
            stop.set()
            [thread.join() for thread in threads]
            self.serve()
            everything.update({name: body for name, body in done.items() if not name.startswith("?")})
            perhaps.update({name[1:]: body for name, body in done.items() if name.startswith("?")})
        keys, after = [], ""
        while page := self.keys(f"&start-after={after}"):
            keys, after = keys + page, page[-1]
        self.assertEqual(set(everything) - set(keys), set())
        self.assertEqual(set(keys) - set(everything) - set(perhaps), set())
        self.wait_for(lambda: len(self.events()) >= len(keys), f"{len(keys)} events")
        time.sleep(0.7)
        counts = {}
        for kind, key, row in self.events():
            counts[key] = counts.get(key, 0) + 1
            self.assertEqual(kind, "Object Created")
        self.assertEqual({key: count for key, count in counts.items() if count != 1}, {})
        self.assertEqual(set(counts), set(keys))
        for key in keys:
            body = everything.get(key, perhaps.get(key))
            got = self.ask("GET", "/data/" + key)
            self.assertEqual(got.body, body)
            number = int(key[1:].split("-")[0])
            self.assertEqual(got.headers["x-amz-meta-name"], None if number % 3 == 0 else key)
            expected = md5(hashlib.md5(body).digest()) + "-1" if number % 3 == 2 else md5(body)
            self.assertEqual(got.headers["ETag"], f'"{expected}"')
        self.assertEqual([path for path in self.left_over() if path.name.startswith("put-")], [])
        print(f"{len(keys)} objects in {self.rounds} crashes", flush=True)


class Signed(ObjectCase):
    """Where the home has keys."""

    def setUp(self):
        super().setUp()
        made = json.loads(self.call("keys", "create", "admin", "--json").stdout)
        self.id, self.secret = made["AccessKeyId"], made["SecretAccessKey"]

    def client(self, **config):
        if not boto3:
            self.skipTest("boto3 is not installed")
        return boto3.client("s3", endpoint_url=self.server.url, region_name="us-east-1", aws_access_key_id=self.id,
                            aws_secret_access_key=self.secret, config=Config(retries={"max_attempts": 0}, **config))

    def sign(self, key, text):
        return hmac.new(key, text.encode(), hashlib.sha256)

    def signed(self, method, path, headers, payload):
        """The headers with their signature; its key and itself."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = {"host": f"127.0.0.1:{self.server.port}", "x-amz-date": stamp, "x-amz-content-sha256": payload, **headers}
        names = ";".join(sorted(headers))
        canonical = f"{method}\n{path}\n\n" + "".join(f"{name}:{headers[name]}\n" for name in sorted(headers)) + f"\n{names}\n{payload}"
        scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = self.sign(key, part).digest()
        signature = self.sign(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}").hexdigest()
        headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={self.id}/{scope}, SignedHeaders={names}, Signature={signature}"
        return headers, key, signature, stamp, scope

    def send(self, method, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request(method, path, body, headers)
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    def test_signed_bodies(self):
        self.refused(403, "AccessDenied", "PUT", "/data/x", b"x")
        empty = hashlib.sha256(b"").hexdigest()
        headers, *_ = self.signed("PUT", "/data", {}, empty)
        self.assertEqual(self.send("PUT", "/data", headers, b"").status, 200)
        body = os.urandom(200_000)
        headers, *_ = self.signed("PUT", "/data/x", {}, hashlib.sha256(body).hexdigest())
        self.assertEqual(self.send("PUT", "/data/x", headers, body[:-1] + b"!").xml().findtext("Code"), "XAmzContentSHA256Mismatch")
        self.assertEqual(self.send("PUT", "/data/x", headers, body).status, 200)
        headers, *_ = self.signed("PUT", "/data/x", {}, "UNSIGNED-PAYLOAD")
        self.assertEqual(self.send("PUT", "/data/x", headers, body).status, 200)
        headers["authorization"] = headers["authorization"][:-1] + ("0" if headers["authorization"][-1] != "0" else "1")
        self.assertEqual(self.send("PUT", "/data/x", headers, body).xml().findtext("Code"), "SignatureDoesNotMatch")
        # In chunks, each of them signed, and a trailer that is.
        for trailer in (False, True):
            mode = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailer else "")
            said = {"x-amz-decoded-content-length": str(len(body))}
            if trailer:
                said["x-amz-trailer"] = "x-amz-checksum-crc32"
            for spoilt in (False, True):
                headers, key, signature, stamp, scope = self.signed("PUT", "/data/chunks", said, mode)
                wire, before = b"", signature
                for chunk in (body[:65536], body[65536:131072], body[131072:], b""):
                    before = self.sign(key, f"AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{scope}\n{before}\n{empty}\n{hashlib.sha256(chunk).hexdigest()}").hexdigest()
                    wire += b"%x;chunk-signature=%s\r\n" % (len(chunk), before.encode()) + (chunk + b"\r\n" if chunk else b"")
                if trailer:
                    line = "x-amz-checksum-crc32:" + base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
                    last = self.sign(key, f"AWS4-HMAC-SHA256-TRAILER\n{stamp}\n{scope}\n{before}\n{hashlib.sha256((line + chr(10)).encode()).hexdigest()}").hexdigest()
                    wire += f"{line}\r\nx-amz-trailer-signature:{last}\r\n".encode()
                wire += b"\r\n"
                if spoilt:
                    wire = wire.replace(body[100:110], body[100:109] + bytes([body[109] ^ 1]))
                answer = self.send("PUT", "/data/chunks", headers, wire)
                self.assertEqual(answer.status, 403 if spoilt else 200, answer.body)
        self.assertEqual((self.objects / "data/chunks").read_bytes(), body)

    def test_policies(self):
        policy = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["arn:aws:s3:::data", "arn:aws:s3:::data/*"]}]}
        client = self.client()
        client.create_bucket(Bucket="data")
        client.put_object(Bucket="data", Key="x", Body=b"1")
        made = json.loads(self.call("keys", "create", "reader", "--policy", self.write("policy.json", policy), "--json").stdout)
        self.id, self.secret = made["AccessKeyId"], made["SecretAccessKey"]
        reader = self.client()
        self.assertEqual(reader.get_object(Bucket="data", Key="x")["Body"].read(), b"1")
        self.assertEqual(reader.list_objects_v2(Bucket="data")["KeyCount"], 1)
        for call in (lambda: reader.put_object(Bucket="data", Key="x", Body=b"2"), lambda: reader.delete_object(Bucket="data", Key="x"),
                     lambda: reader.create_bucket(Bucket="more"), reader.list_buckets,
                     lambda: reader.delete_objects(Bucket="data", Delete={"Objects": [{"Key": "x"}]})):
            with self.assertRaises(ClientError) as refused:
                call()
            self.assertEqual(refused.exception.response["Error"]["Code"], "AccessDenied")

    def test_boto3(self):
        client = self.client()
        client.create_bucket(Bucket="data")
        body = os.urandom(20 * MIB)
        (self.directory / "file").write_bytes(body)
        client.upload_file(str(self.directory / "file"), "data", "in/file", ExtraArgs={"ContentType": "a/b", "Metadata": {"who": "me"}})
        client.download_file("data", "in/file", str(self.directory / "back"))
        self.assertEqual((self.directory / "back").read_bytes(), body)
        head = client.head_object(Bucket="data", Key="in/file")
        self.assertEqual((head["ContentType"], head["Metadata"], head["ContentLength"]), ("a/b", {"who": "me"}, len(body)))
        for algorithm in ("CRC32", "SHA1", "SHA256"):
            client.put_object(Bucket="data", Key="sum", Body=b"bytes", ChecksumAlgorithm=algorithm)
            self.assertEqual(client.get_object(Bucket="data", Key="sum", ChecksumMode="ENABLED")["Body"].read(), b"bytes")
        for key in ("ä b+c&d/e?#%41", "in/+", "x=y;z"):
            client.put_object(Bucket="data", Key=key, Body=key.encode())
            self.assertEqual(client.get_object(Bucket="data", Key=key)["Body"].read(), key.encode())
        keys = [item["Key"] for page in client.get_paginator("list_objects_v2").paginate(Bucket="data", PaginationConfig={"PageSize": 2}) for item in page["Contents"]]
        self.assertEqual(keys, sorted(["in/file", "sum", "ä b+c&d/e?#%41", "in/+", "x=y;z"], key=str.encode))
        client.copy_object(Bucket="data", Key="copy", CopySource={"Bucket": "data", "Key": "ä b+c&d/e?#%41"})
        self.assertEqual(client.get_object(Bucket="data", Key="copy")["Body"].read(), "ä b+c&d/e?#%41".encode())
        with self.assertRaises(ClientError) as refused:
            client.put_object(Bucket="data", Key="copy", Body=b"x", IfNoneMatch="*")
        self.assertEqual(refused.exception.response["Error"]["Code"], "PreconditionFailed")
        url = self.client(signature_version="s3").generate_presigned_url("get_object", Params={"Bucket": "data", "Key": "sum"}, ExpiresIn=60)
        refused = self.refused(400, "AuthorizationHeaderMalformed", "GET", url.removeprefix(self.server.url))
        self.assertIn("s3v4", refused.xml().findtext("Message"))
        client = self.client(signature_version="s3v4")
        url = client.generate_presigned_url("get_object", Params={"Bucket": "data", "Key": "sum"}, ExpiresIn=60)
        self.assertEqual(self.ask("GET", url.removeprefix(self.server.url)).body, b"bytes")
        self.refused(403, "SignatureDoesNotMatch", "GET", url.removeprefix(self.server.url).replace("/sum", "/copy"))
        url = client.generate_presigned_url("put_object", Params={"Bucket": "data", "Key": "signed"}, ExpiresIn=60)
        self.ask("PUT", url.removeprefix(self.server.url), b"presigned")
        self.assertEqual(client.get_object(Bucket="data", Key="signed")["Body"].read(), b"presigned")
        client.delete_objects(Bucket="data", Delete={"Objects": [{"Key": key} for key in (*keys, "copy", "signed")]})
        client.delete_bucket(Bucket="data")
        self.assertEqual(client.list_buckets()["Buckets"], [])

    def aws(self, *arguments, code=0):
        done = subprocess.run(["aws", "s3", *map(str, arguments), "--endpoint-url", self.server.url], capture_output=True, text=True, timeout=300,
                              check=False, env={**os.environ, "AWS_ACCESS_KEY_ID": self.id, "AWS_SECRET_ACCESS_KEY": self.secret,
                                                "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": str(self.write("config", "[default]\ns3 =\n  signature_version = s3v4\n")), "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def test_the_aws_command_line(self):
        if not shutil.which("aws"):
            self.skipTest("the aws command is not installed")
        source = self.directory / "source"
        (source / "deep").mkdir(parents=True)
        (source / "a.txt").write_text("one", encoding="utf-8")
        (source / "deep/b.bin").write_bytes(os.urandom(20 * MIB))
        for path in (source / "a.txt", source / "deep/b.bin"):  # LastModified has whole seconds: what is newer would be sent again
            os.utime(path, (time.time() - 60,) * 2)
        self.aws("mb", "s3://data")
        self.assertIn("upload:", self.aws("sync", source, "s3://data/in"))
        self.assertEqual(self.aws("sync", source, "s3://data/in"), "")
        self.assertEqual((self.objects / "data/in/deep/b.bin").read_bytes(), (source / "deep/b.bin").read_bytes())
        listed = self.aws("ls", "s3://data/in/")
        self.assertIn("PRE deep/", listed)
        self.assertIn("3 a.txt", listed)
        (source / "a.txt").write_text("other", encoding="utf-8")
        self.assertIn("a.txt", self.aws("sync", source, "s3://data/in"))
        self.aws("cp", "s3://data/in/a.txt", self.directory / "back")
        self.assertEqual((self.directory / "back").read_text(encoding="utf-8"), "other")
        self.aws("mv", "s3://data/in/a.txt", "s3://data/moved.txt")
        (source / "deep/b.bin").unlink()
        self.assertIn("delete:", self.aws("sync", source / "deep", "s3://data/in/deep", "--delete"))
        self.assertIn("s3://data", self.aws("ls") + "s3://data")
        url = self.aws("presign", "s3://data/moved.txt").strip()
        self.assertEqual(self.ask("GET", url.removeprefix(self.server.url)).body, b"other")
        self.aws("rm", "s3://data/moved.txt")
        self.aws("cp", source / "a.txt", "s3://data/last")
        self.aws("rb", "s3://data", code=1)
        self.aws("rb", "s3://data", "--force")
        self.assertEqual(self.aws("ls"), "")


if __name__ == "__main__":
    program.main()
