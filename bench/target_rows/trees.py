"""Boosted trees and forests: generated transactions beside libxgboost, and tables with fixed splits."""

import json
import math

from .common import (Line, Skipped, area, channel, coded, higher, log_losses, lower, mean_and_error, need, peer_or_recorded, peer_python,
                     tried, train, write_rows)


def bench(setup):
    """One run of millrace_bench_trees on a million rows: training, scoring, one row, contributions, forests; libxgboost too."""
    return setup.once("trees", lambda: setup.bench_json("trees", 1_000_000, 100, 2, *setup.transactions()))


def beside(report, *path):
    """The same figure of ours and of libxgboost; the second None where the program was built without it."""
    out = []
    for side in ("millrace", "libxgboost"):
        value = report.get(side)
        for key in path:
            value = value.get(key) if value else None
        out.append(value)
    return out


def training_lines(report, wall, cpu, megabytes, auc):
    lines = []
    for measure, path, bar in (("wall s", ("train", "wall_s"), lower(wall)), ("CPU s", ("train", "cpu_s"), lower(cpu) if cpu else None),
                               ("peak MB", ("peak_mb",), lower(megabytes)), ("AUC", ("auc",), higher(auc))):
        ours, theirs = beside(report, *path)
        busy = report["millrace"]["train"]["cpu_s"] / 2 if measure == "wall s" else None
        lines.append(Line(measure, ours, theirs, bar, "libxgboost", cpu_s=busy))
    return lines


def million(setup):
    report = bench(setup)
    same = next(v for k, v in report["millrace"].items() if k.startswith("same_bytes"))
    return training_lines(report, 1.8, 3.0, 100, 0.9517) + [Line("same bytes, 1 and 2 threads", same, bar=("==", True))]


def ten_millions(setup):
    if not setup.options.large:
        raise Skipped("takes minutes and 2 GB: --large")
    return training_lines(setup.bench_json("trees", 10_000_000, 100, 2, *setup.transactions(10_000_000)), 22, None, 750, 0.9523)


def one_row(setup):
    report = bench(setup)
    return [Line(measure, *beside(report, "one_row", key), bar, "libxgboost in place") for measure, key, bar in (
        ("p50 us", "p50_us", lower(0.5)), ("p99 us", "p99_us", lower(1.0)), ("back to back, us", "mean_us", None))] + [
            Line("p50 us without AVX", report["millrace"]["one_row"]["portable"]["p50_us"], beside(report, "one_row", "p50_us")[1], lower(0.8),
                 "libxgboost in place"),
            Line("same bits as a walk from node to node", report["millrace"]["same_bits_as_a_walk"], bar=("==", True))]


def batch(setup):
    report = bench(setup)
    return [Line("M rows/s, 2 threads", *(v and v / 1e6 for v in beside(report, "predict", "rows_per_s")), higher(4), "libxgboost in place"),
            Line("M rows a CPU second", *(v and v / 1e6 for v in beside(report, "predict", "rows_per_cpu_s")), higher(2), "libxgboost in place")]


def shap(setup):
    report = bench(setup)
    return [Line("k rows/s, 2 threads", *(v and v / 1e3 for v in beside(report, "shap", "batch", "rows_per_s")), higher(75), "pred_contribs"),
            Line("largest difference", report["millrace"]["shap"].get("largest_difference"), bar=lower(1e-5),
                 note="of our model's contributions from libxgboost's of it")]


def forest(setup):
    report = bench(setup)["random-forest"]
    train_csv, test_csv = setup.transactions()
    peer, why = peer_or_recorded(setup, False, lambda: need("sklearn"), "large.py", (train_csv, test_csv, "rf"),
                                 kind="large", model="rf", rows=1_000_000)
    common = {"peer_name": "RandomForestClassifier", "recorded": "recorded" in peer, "note": why}
    return [Line("wall s", report["train"]["wall_s"], peer["fit_wall_s"], lower(4), cpu_s=report["train"]["cpu_s"] / 2, **common),
            Line("CPU s", report["train"]["cpu_s"], peer["fit_cpu_s"], lower(8), **common),
            Line("AUC", report["auc"], peer["metrics"]["auc"], higher(0.947), **common)]


# What the table of targets has of the peer's best, by set: measure -> value.
ACCURACY = {"adult": {"auc": 0.9266, "logloss": 0.2780}, "bank_marketing": {"auc": 0.8020, "logloss": 0.2699}, "diamonds": {"rmse": 539.6},
            "letter": {"accuracy": 0.959, "mlogloss": 0.1395}, "satellite": {"accuracy": 0.9055, "mlogloss": 0.2493}}


def judged(meta, classes, y, answers):
    """{measure: (value, its standard error)} of what a transform answered."""
    if meta["task"] == "regression":
        mean, error = mean_and_error([(row[0] - label) ** 2 for row, label in zip(answers, y)])
        return {"rmse": (math.sqrt(mean), error / (2 * math.sqrt(mean)))}
    labels = [int(v) for v in y]
    if classes <= 2:
        scores = [row[0] for row in answers]
        auc = area(labels, scores)
        positives, negatives = sum(labels), len(labels) - sum(labels)
        q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)  # Hanley and McNeil (1982)
        error = math.sqrt((auc * (1 - auc) + (positives - 1) * (q1 - auc ** 2) + (negatives - 1) * (q2 - auc ** 2)) / (positives * negatives))
        return {"auc": (auc, error), "logloss": mean_and_error(log_losses(labels, [[1 - s, s] for s in scores]))}
    right = [float(max(range(len(row)), key=row.__getitem__) == label) for row, label in zip(answers, labels)]
    return {"accuracy": mean_and_error(right), "mlogloss": mean_and_error(log_losses(labels, answers))}


def answers_of(text):
    return [[float(cell) for cell in line.split(",")] for line in text.split("\n") if line]


def job_on(setup, name, image, parameters):
    """A job on the set's train and valid rows, judged on those of test."""
    meta, classes, parts = setup.once("coded " + name, lambda: coded(name))
    classes = max(classes, 2)
    files = {}
    for part, rows in parts.items():
        files[f"{part}.csv"] = write_rows(setup.folder / f"{name}-{part}.csv", [r[1:] for r in rows] if part == "test" else rows)
    result = train(setup, image, parameters(meta, classes), [channel("train", "s3://b/train.csv"), channel("validation", "s3://b/valid.csv")],
                   files, score="test.csv")
    return judged(meta, classes, [row[0] for row in parts["test"]], answers_of(result["scores"])), result


def boosted(meta, classes):
    goal, metric = {"binary": ("binary:logistic", "auc"), "multiclass": ("multi:softprob", "mlogloss"),
                    "regression": ("reg:squarederror", "rmse")}[meta["task"]]
    out = {"num_round": 2000, "eta": 0.1, "max_depth": 6, "objective": goal, "eval_metric": metric, "early_stopping_rounds": 30}
    if meta["name"] == "satellite":  # the settings that the peer's best is of
        out |= {"eta": 0.04, "max_depth": 8, "subsample": 0.7, "colsample_bytree": 0.6, "min_child_weight": 5, "lambda": 5, "early_stopping_rounds": 40}
    return out | ({"num_class": classes} if meta["task"] == "multiclass" else {})


# Learns from the same files with the same hyperparameters and answers the rows of test.
XGBOOST = """
import json, sys, time, numpy as np, pandas as pd, xgboost as xgb
folder, name, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
rounds, patience = settings.pop("num_round"), settings.pop("early_stopping_rounds")
read = lambda part: pd.read_csv(f"{folder}/{name}-{part}.csv", header=None).values.astype("f4")
train, valid, test = read("train"), read("valid"), read("test")
wall, cpu = time.perf_counter(), time.process_time()
model = xgb.train(settings | {"tree_method": "hist", "nthread": 2, "seed": 1}, xgb.DMatrix(train[:, 1:], train[:, 0]), rounds,
                  evals=[(xgb.DMatrix(valid[:, 1:], valid[:, 0]), "v")], early_stopping_rounds=patience, verbose_eval=False)
used = time.perf_counter() - wall, time.process_time() - cpu
p = model.predict(xgb.DMatrix(test), iteration_range=(0, model.best_iteration + 1)).reshape(len(test), -1)
print(json.dumps({"answers": p.tolist(), "wall_s": used[0], "cpu_s": used[1]}))
"""


def accuracy(setup):
    lines = []
    for name, targets in ACCURACY.items():
        measures, result = job_on(setup, name, "xgboost", boosted)
        meta, classes, parts = setup.kept["coded " + name]
        settings = boosted(meta, max(classes, 2))
        peer, why = tried(lambda: (need("xgboost", "pandas"), peer_python(XGBOOST, setup.folder, name, json.dumps(settings)))[1])
        theirs = judged(meta, max(classes, 2), [row[0] for row in parts["test"]], peer["answers"]) if peer else {}
        for measure, target in targets.items():
            value, error = measures[measure]
            smaller = measure not in ("auc", "accuracy")
            lines.append(Line(f"{name} {measure}", value, theirs.get(measure, (None,))[0],
                              lower(target + error) if smaller else higher(target - error), "xgboost, same rows and settings",
                              note=why or f"bar: {target} and one standard error, {error:.2g}"))
        lines.append(Line(f"{name} CPU s", result["cpu_s"], peer and peer["cpu_s"], None, "xgboost, fit alone", note="of the whole workflow"))
    return lines
