#!/usr/bin/env python3
"""Records a second of the feature store over HTTP with wrk: PutRecord (online and offline), GetRecord of records that are
there, and GetRecord while others put.

Usage: feature_bench.py MILLRACE [SECONDS]     one line of JSON a measurement; exit code 1 when a request failed
"""

import http.client
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CONNECTIONS, RECORDS, FEATURES = 64, 20_000, 10
DONE = """
done = function(s, l, r)
  io.write(string.format('WRK {"req_per_s":%.0f,"p50_us":%.0f,"p99_us":%.0f,"errors":%d}\\n', s.requests / s.duration * 1e6,
           l:percentile(50), l:percentile(99), s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout + s.errors.status))
end
"""
PUT = """
local n, parts = 0, {}
for i = 1, %d do parts[i] = string.format('{"FeatureName":"f%%d","ValueAsString":"%%d.5"}', i, i) end
local rest = table.concat(parts, ",")
request = function()
  n = n + 1
  return wrk.format("PUT", "/FeatureGroup/bench", nil, string.format(
    '{"Record":[{"FeatureName":"id","ValueAsString":"%%d"},{"FeatureName":"at","ValueAsString":"%%d"},%%s]}', math.random(%d), 1763700000 + n, rest))
end
""" % (FEATURES, RECORDS) + DONE
GET = """
request = function()
  return wrk.format("GET", "/FeatureGroup/bench?RecordIdentifierValueAsString=" .. math.random(%d))
end
""" % RECORDS + DONE


def wrk(folder, port, name, script, seconds, connections=CONNECTIONS):
    path = folder / f"{name}.lua"
    path.write_text(script)
    return subprocess.Popen(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(path), f"http://127.0.0.1:{port}"],
                            stdout=subprocess.PIPE, text=True)


def result(process, name):
    output = process.communicate()[0]
    line = next((line for line in output.splitlines() if line.startswith("WRK ")), None)
    if line is None:
        raise SystemExit(output)
    measured = {"measured": name, **json.loads(line[4:])}
    print(json.dumps(measured), flush=True)
    return measured["errors"]


def main():
    if not shutil.which("wrk"):
        print("skipped: wrk is not there")
        return 0
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    folder = Path(tempfile.mkdtemp(prefix="millrace-bench-"))
    server = subprocess.Popen([sys.argv[1], "serve", "--listen", "127.0.0.1:0", "--json", "--home", folder / "home", "--set", "log.level=error"],
                              stdout=subprocess.PIPE, text=True)
    errors = 0
    try:
        port = int(json.loads(server.stdout.readline())["url"].rsplit(":", 1)[1])
        definitions = [{"FeatureName": "id", "FeatureType": "String"}, {"FeatureName": "at", "FeatureType": "Fractional"}]
        definitions += [{"FeatureName": f"f{i}", "FeatureType": "Fractional"} for i in range(1, FEATURES + 1)]
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("POST", "/", json.dumps({
            "FeatureGroupName": "bench", "RecordIdentifierFeatureName": "id", "EventTimeFeatureName": "at", "FeatureDefinitions": definitions,
            "OnlineStoreConfig": {"EnableOnlineStore": True}, "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://bench"}}}),
            {"X-Amz-Target": "SageMaker.CreateFeatureGroup"})
        assert connection.getresponse().status == 200
        errors += result(wrk(folder, port, "put", PUT, seconds), "PutRecord, 64 connections")
        errors += result(wrk(folder, port, "get", GET, seconds), "GetRecord, 64 connections")
        errors += result(wrk(folder, port, "get1", GET, seconds, 1), "GetRecord, 1 connection")
        both = wrk(folder, port, "put", PUT, seconds), wrk(folder, port, "get4", GET, seconds, 4)
        errors += result(both[0], "PutRecord, 64 connections, beside 4 that get")
        errors += result(both[1], "GetRecord, 4 connections, beside 64 that put")
    finally:
        server.terminate()
        server.wait(60)
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
