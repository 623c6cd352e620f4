#!/usr/bin/env python3
"""Requests a second of an endpoint: one row of 30 features by xgboost (100 trees of depth 3), over HTTP with wrk; and of the
nginx + gunicorn + flask + pandas container that it replaces, when ../shared/peers/flask-endpoint and its packages are there.

Usage: endpoint_bench.py MILLRACE [SECONDS]     one line of JSON a run; exit code 1 when a request failed
"""

import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PEER = ROOT.parent / "shared/peers/flask-endpoint"
FEATURES, CONNECTIONS, RUNS = 30, (1, 16, 64), 3
WRK = """wrk.method = "POST"
wrk.headers["Content-Type"] = "text/csv"
wrk.body = "%s"
done = function(s, l, r)
  io.write(string.format('WRK {"req_per_s":%%.0f,"p50_us":%%.0f,"p99_us":%%.0f,"errors":%%d}\\n', s.requests / s.duration * 1e6,
           l:percentile(50), l:percentile(99), s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout + s.errors.status))
end
"""


def row(i):
    return [((i * (j + 3) * 7919 + j * 104729) % 1009) / 10 for j in range(FEATURES)]


def ask(port, operation, **request):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/", json.dumps(request), {"X-Amz-Target": "SageMaker." + operation})
    response = connection.getresponse()
    answer = json.loads(response.read())
    if response.status != 200:
        raise SystemExit(f"{operation}: {answer}")
    return answer


def deploy(port):
    """An endpoint called bench."""
    uri = {"DataSource": {"S3DataSource": {"S3Uri": "s3://b/train"}}}
    ask(port, "CreateTrainingJob", TrainingJobName="t", AlgorithmSpecification={"TrainingImage": "xgboost"},
        HyperParameters={"objective": "binary:logistic", "num_round": "100", "max_depth": "3"},
        InputDataConfig=[{"ChannelName": "train", "ContentType": "text/csv", **uri}], OutputDataConfig={"S3OutputPath": "s3://b/models"})
    while (job := ask(port, "DescribeTrainingJob", TrainingJobName="t"))["TrainingJobStatus"] == "InProgress":
        time.sleep(0.05)
    ask(port, "CreateModel", ModelName="m", PrimaryContainer={"ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]})
    ask(port, "CreateEndpointConfig", EndpointConfigName="c", ProductionVariants=[{"VariantName": "v", "ModelName": "m"}])
    ask(port, "CreateEndpoint", EndpointName="bench", EndpointConfigName="c")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_millrace(program, folder, seconds):
    objects = folder / "home/objects/b/train"
    objects.mkdir(parents=True)
    lines = [[int(sum(row(i)[:5]) > 250)] + row(i) for i in range(2000)]
    (objects / "data.csv").write_text("\n".join(",".join(map(str, line)) for line in lines))
    script = folder / "post.lua"
    script.write_text(WRK % ",".join(map(str, row(7))))
    server = subprocess.Popen([program, "serve", "--home", folder / "home", "--listen", "127.0.0.1:0", "--json", "--log-level", "error"],
                              stdout=subprocess.PIPE, text=True)
    results, failed = {}, 0
    try:
        port = int(json.loads(server.stdout.readline())["url"].rsplit(":", 1)[1])
        deploy(port)
        for connections in CONNECTIONS:
            for _ in range(RUNS):
                before = cpu_seconds(server.pid)
                out = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script, f"http://127.0.0.1:{port}/endpoints/bench/invocations"],
                                     capture_output=True, text=True, check=True).stdout
                measured = json.loads(re.search(r"WRK (.*)", out).group(1))
                used = (cpu_seconds(server.pid) - before) / max(1, measured["req_per_s"] * seconds)
                print(json.dumps({"what": "millrace", "connections": connections, "cpu_us_per_req": round(used * 1e6, 1), **measured}), flush=True)
                results.setdefault(connections, []).append(measured["req_per_s"])
                failed += measured["errors"]
    finally:
        server.terminate()
        server.wait()
    return results, failed


def run_peer(folder, seconds):
    """Requests a second by reader (pandas, or plain Python) and connections, of scikit-learn's boosted trees; empty: it is not there."""
    missing = [name for name in ("nginx", "gunicorn") if not shutil.which(name)]
    if not PEER.exists() or missing:
        print("skipped: the peer: " + (f"{', '.join(missing)} not there" if missing else f"{PEER} not there"), file=sys.stderr)
        return {}
    folder.chmod(0o755)  # nginx's workers are somebody else
    copy = folder / "peer"
    shutil.copytree(PEER, copy)
    out = subprocess.run(["bash", "run.sh"], cwd=copy, env={**os.environ, "PEER_DATA": str(folder / "data"), "SECS": str(seconds)},
                         capture_output=True, text=True, check=False).stdout
    results = {}
    for line in out.splitlines():
        try:
            measured = json.loads(line)
        except ValueError:
            continue
        if measured.get("model") == "gb" and "connections" in measured:
            print(line, flush=True)
            if measured["errors"] + measured["non2xx"] == 0:  # nginx answers quickly while its workers still start
                results.setdefault((measured["parse"], measured["connections"]), []).append(measured["req_per_s"])
    return results


def main():
    program, seconds = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not there: apt-get install wrk")
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as name:
        ours, failed = run_millrace(program, Path(name), seconds)
        theirs = run_peer(Path(name), seconds)
    for (parse, connections), figures in theirs.items():
        print(json.dumps({"parse": parse, "connections": connections, "times": round(statistics.median(ours[connections]) / statistics.median(figures), 1)}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
