#!/usr/bin/env python3
"""An AutoML job on tables with fixed splits: its winner, every candidate and the peer's figures on the rows of `test`.

Usage: automl_bench.py MILLRACE [--set NAME]... [--candidates N] [--seconds N] [--folds]

Sets are folders of ../shared/data (data.csv, split.csv, meta.json). Rows of `train` are the training channel and those of
`valid` the channel `validation`, as the peer has them; with --folds all of them are the training channel, and candidates are
judged by five folds. One line of JSON a set; exit code 1 when a job failed. Needs Python alone.
"""

import argparse
import csv
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DATA = Path(__file__).resolve().parents[1] / "../shared/data"
# What ../shared/peers/ml/RESULTS.md has of a greedy ensemble of scikit-learn and XGBoost on the same rows.
PEER = {"adult": {"logloss": 0.27760, "accuracy": 0.87237, "auc": 0.92685}, "bank_marketing": {"logloss": 0.26942, "accuracy": 0.90166, "auc": 0.80220},
        "digits": {"logloss": 0.08647, "accuracy": 0.98056}, "letter": {"logloss": 0.11646, "accuracy": 0.96350},
        "satellite": {"logloss": 0.23150, "accuracy": 0.90800}, "diamonds": {"rmse": 539.6}}


def write_parts(folder, name, folds):
    """train.csv, validation.csv, test.csv (without the target); (meta, truth of test)."""
    meta = json.loads((DATA / name / "meta.json").read_text())
    rows = list(csv.reader(open(DATA / name / "data.csv", newline="")))
    part = {int(r["row"]): r["part"] for r in csv.DictReader(open(DATA / name / "split.csv", newline=""))}
    head = rows[0]
    kept = [i for i, c in enumerate(head) if c not in meta.get("drop", [])]
    target = head.index(meta["target"])
    files = {p: csv.writer(open(folder / f"{p}.csv", "w", newline="")) for p in ("train", "validation", "test")}
    for p, out in files.items():
        out.writerow([head[i] for i in kept if p != "test" or i != target])
    truth = []
    for number, row in enumerate(rows[1:]):
        p = part[number]
        p = "train" if p == "train" or (p == "valid" and folds) else "validation" if p == "valid" else "test"
        files[p].writerow([row[i] for i in kept if p != "test" or i != target])
        if p == "test":
            truth.append(row[target])
    return meta, truth


def definition(meta, options):
    """AutoML, then a model and a batch transform of `test` for each candidate."""
    def channel(kind):
        return {"ChannelType": kind, "ContentType": "text/csv;header=present", "TargetAttributeName": meta["target"],
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://b/{'train' if kind == 'training' else kind}.csv"}}}
    criteria = {"MaxCandidates": options.candidates}
    if options.seconds:
        criteria["MaxAutoMLJobRuntimeInSeconds"] = options.seconds
    names = {"binary": "BinaryClassification", "multiclass": "MulticlassClassification", "regression": "Regression"}
    task = "arn:aws:states:::aws-sdk:sagemaker:"
    return {"StartAt": "AutoML", "States": {
        "AutoML": {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createAutoMLJob.sync", "Parameters": {
            "AutoMLJobName": "job", "ProblemType": names[meta["task"]],
            "AutoMLJobObjective": {"MetricName": "RMSE" if meta["task"] == "regression" else "LogLoss"},
            "InputDataConfig": [channel("training")] + ([] if options.folds else [channel("validation")]),
            "AutoMLJobConfig": {"Mode": "ENSEMBLING", "CompletionCriteria": criteria},
            "OutputDataConfig": {"S3OutputPath": "s3://b/out"}}, "ResultPath": "$.job", "Next": "Candidates"},
        "Candidates": {"Type": "Task", "Resource": task + "listCandidatesForAutoMLJob", "Parameters": {"AutoMLJobName": "job"},
                       "ResultPath": "$.list", "Next": "Each"},
        "Each": {"Type": "Map", "ItemsPath": "$.list.Candidates", "MaxConcurrency": 1, "ItemProcessor": {"StartAt": "Completed?", "States": {
            "Completed?": {"Type": "Choice", "Choices": [{"Variable": "$.CandidateStatus", "StringEquals": "Completed", "Next": "Model"}],
                           "Default": "No"},
            "No": {"Type": "Pass", "End": True},
            "Model": {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createModel", "ResultPath": None, "Next": "Score",
                      "Parameters": {"ModelName.$": "$.CandidateName", "Containers.$": "$.InferenceContainers"}},
            "Score": {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTransformJob.sync", "ResultPath": None, "End": True, "Parameters": {
                "TransformJobName.$": "$.CandidateName", "ModelName.$": "$.CandidateName",
                "TransformInput": {"ContentType": "text/csv", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/test.csv"}}},
                "TransformOutput": {"S3OutputPath.$": "States.Format('s3://b/scores/{}', $.CandidateName)"}}}}},
            "End": True}}}


def auc(labels, scores):
    order = sorted(range(len(labels)), key=lambda i: scores[i])
    ranks, i = 0.0, 0
    while i < len(order):
        j = i
        while j < len(order) and scores[order[j]] == scores[order[i]]:
            j += 1
        ranks += sum(labels[order[k]] for k in range(i, j)) * (i + j + 1) / 2
        i = j
    positives = sum(labels)
    return (ranks - positives * (positives + 1) / 2) / (positives * (len(labels) - positives))


def judged(meta, truth, classes, text):
    """Metrics of the lines that a transform wrote, and the standard error of the first of them."""
    lines = [[float(cell) for cell in line.split(",")] for line in text.split("\n") if line]
    assert len(lines) == len(truth), (len(lines), len(truth))
    if meta["task"] == "regression":
        squares = [(row[0] - float(y)) ** 2 for row, y in zip(lines, truth)]
        mean = sum(squares) / len(squares)
        spread = math.sqrt(sum((s - mean) ** 2 for s in squares) / len(squares) / len(squares))
        return {"rmse": math.sqrt(mean), "standard_error": spread / (2 * math.sqrt(mean))}
    place = {name: i for i, name in enumerate(classes)}
    labels = [place[y] for y in truth]
    shares = [[1 - row[0], row[0]] if len(row) == 1 else row for row in lines]
    losses = [-math.log(min(max(s[y], 1e-7), 1 - 1e-7)) for s, y in zip(shares, labels)]
    mean = sum(losses) / len(losses)
    out = {"logloss": mean, "accuracy": sum(max(range(len(s)), key=s.__getitem__) == y for s, y in zip(shares, labels)) / len(labels),
           "standard_error": math.sqrt(sum((v - mean) ** 2 for v in losses)) / len(losses)}
    if len(classes) == 2:
        out["auc"] = auc(labels, [s[1] for s in shares])
    return out


def run(millrace, name, options):
    folder = Path(tempfile.mkdtemp(prefix="millrace-automl-"))
    try:
        meta, truth = write_parts(folder, name, options.folds)
        (folder / "job.json").write_text(json.dumps(definition(meta, options)))
        puts = sum((["--put", f"s3://b/{p}.csv={folder / p}.csv"] for p in ("train", "validation", "test")), [])
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
        done = subprocess.run([millrace, "--home", str(folder / "home"), "--json", "run", str(folder / "job.json"), "--quiet", *puts],
                              capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            return {"set": name, "failed": (done.stdout + done.stderr)[-2000:]}
        output = json.loads(done.stdout)["output"]
        records = output if isinstance(output, list) else []
        classes = sorted(set(truth))
        board = {}
        for candidate in records:
            label = candidate["CandidateName"]
            file = next(iter((folder / "home/objects/b/scores" / label).glob("*.out")), None)
            if file:
                board[label] = {"seconds": round((candidate["EndTime"] - candidate["CreationTime"]) / 1000, 1),
                                "held_out": candidate["FinalAutoMLJobObjectiveMetric"]["Value"], **judged(meta, truth, classes, file.read_text())}
        first = "rmse" if meta["task"] == "regression" else "logloss"
        singles = {k: v for k, v in board.items() if not k.endswith("-ensemble")}
        winner = board.get("job-ensemble") or min(singles.values(), key=lambda v: v["held_out"])
        best_single = min(singles.values(), key=lambda v: v[first])
        result = {"set": name, "winner": winner, "peer": PEER.get(name, {}),
                  "better_than_peer": {k: (winner[k] > v) == (k in ("accuracy", "auc")) for k, v in PEER.get(name, {}).items()},
                  "worse_than_best_single_by_standard_errors": round((winner[first] - best_single[first]) / best_single["standard_error"], 2),
                  "wall_s": round(time.time() - begun, 1),
                  "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1), "candidates": board}
        if options.keep:
            result["home"] = str(folder)
        return result
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("millrace")
    parser.add_argument("--set", action="append")
    parser.add_argument("--candidates", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--folds", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    if not DATA.exists():
        print("skipped: ../shared/data is not there")
        return 0
    failed = False
    for name in options.set or PEER:
        result = run(os.path.abspath(options.millrace), name, options)
        failed = failed or "failed" in result
        print(json.dumps(result), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
