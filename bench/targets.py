#!/usr/bin/env python3
"""Every target of the ML library beside its peer, in turns in one run: what ours does, what the peer does, the bar, and who meets it.

Usage: targets.py MILLRACE [--only NAME]... [--large] [--long] [--turns N] [--json] [--markdown FILE] [--bench FOLDER]

The bench programs stand beside MILLRACE, or in --bench. Data, peers' scripts and golden files are those of ../shared; what is not there is
said. Peers: python3-sklearn, -xgboost, -statsmodels, -fasttext, -optuna, r-cran-forecast, r-cran-lme4. A figure of an earlier run on the
reference machine is marked `recorded`: where a peer is missing, or takes minutes and --long is not given. --large: ten million rows, a
stream of 2.6 GB. Exit code 1 when a target is missed.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from target_rows import others, tables, trees  # noqa: E402
from target_rows.common import Setup, Skipped, progress  # noqa: E402

ROWS = {
    "trees": ("boosted trees, 1 M x 10, 100 rounds, depth 6", trees.million),
    "trees-10m": ("boosted trees, 10 M rows", trees.ten_millions),
    "one-row": ("one-row prediction, 100 trees of depth 6", trees.one_row),
    "batch": ("batch prediction", trees.batch),
    "shap": ("exact TreeSHAP", trees.shap),
    "forest": ("forest, 1 M, 20 trees of depth 12", trees.forest),
    "accuracy": ("accuracy, boosted trees", trees.accuracy),
    "csv": ("CSV to numbers, 1 thread", tables.csv),
    "pipe": ("Pipe mode against File mode, linear learner", tables.pipe),
    "logistic": ("logistic regression, 1 M x 10", tables.logistic),
    "kmeans": ("k-means, 1 M x 10, k = 10, 20 rounds", tables.kmeans),
    "pca": ("PCA, 1 M x 10", tables.pca),
    "mlp": ("MLP 16-128-64-26", tables.mlp),
    "anomalies": ("random cut forest", others.anomalies),
    "forecasting": ("forecasting", others.forecasting),
    "spam": ("text, SMS spam", others.spam),
    "ratings": ("ratings, lectures", others.ratings),
    "search": ("search", others.search),
    "bias": ("bias, golden values", others.bias),
    "drift": ("drift, golden values", others.drift),
    "automl": ("AutoML", tables.automl),
}


def text_of(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def table_of(results):
    head = ("capability", "measure", "ours", "peer's", "ratio", "bar", "", "peer")
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for result in results:
        title = result["capability"]
        if "skipped" in result:
            lines.append(f"| {title} | | | | | | skipped | {result['skipped']} |")
        for line in result.get("lines", []):
            met = f"busy ({text_of(line.cpu_s)} CPU s)" if line.busy else {True: "met", False: "MISSED", None: ""}[line.met]
            bar = f"{line.bar[0]} {text_of(line.bar[1])}" if line.bar else ""
            said = "; ".join(filter(None, (line.peer_name + (", recorded" if line.recorded else ""), line.note)))
            lines.append(f"| {title} | {line.measure} | {text_of(line.ours)} | {text_of(line.peer)} | {text_of(line.ratio)} | {bar} | {met} | {said} |")
            title = ""
    return "\n".join(lines)


def head_of(results):
    all_lines = [line for result in results for line in result.get("lines", [])]
    met, missed = sum(line.met is True for line in all_lines), sum(missed_by(line) for line in all_lines)
    busy, skipped = sum(line.busy for line in all_lines), sum("skipped" in result for result in results)
    return f"{met} met, {missed} missed, {busy} not to be judged on a busy machine, {skipped} rows skipped"


def missed_by(line):
    return line.met is False and not line.busy


def run_row(setup, name):
    title, make = ROWS[name]
    progress(f"{name}: {title}")
    begun, load = time.time(), os.getloadavg()[0]
    result = {"name": name, "capability": title}
    try:
        result["lines"] = make(setup)
        for line in result["lines"]:
            line.load = max(load, os.getloadavg()[0])
    except Skipped as why:
        result["skipped"] = str(why)
    except Exception as error:  # a row that breaks is said, and the others run
        result["skipped"] = f"broken: {type(error).__name__}: {error}"
    return result | {"seconds": round(time.time() - begun, 1), "load": [round(load, 1), round(os.getloadavg()[0], 1)]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("millrace")
    parser.add_argument("--only", action="append", choices=list(ROWS), metavar="NAME", help=", ".join(ROWS))
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", metavar="FILE", help="the table so far, written after each row")
    parser.add_argument("--bench", metavar="FOLDER")
    options = parser.parse_args()
    setup = Setup(os.path.abspath(options.millrace), options)
    results = []
    try:
        for name in options.only or ROWS:
            results.append(run_row(setup, name))
            if options.markdown:
                Path(options.markdown).write_text(head_of(results) + "\n\n" + table_of(results) + "\n", encoding="utf-8")
    finally:
        setup.close()
    if options.json:
        print(json.dumps([r | ({"lines": [line.as_json() for line in r["lines"]]} if "lines" in r else {}) for r in results], indent=1))
    else:
        print(table_of(results) + "\n\n" + head_of(results))
        print(f"Load of the machine at the begin and the end of a row: {', '.join(r['name'] + ' ' + '/'.join(map(str, r['load'])) for r in results)}")
    return int(any(missed_by(line) for r in results for line in r.get("lines", [])) or any(r.get("skipped", "").startswith("broken") for r in results))


if __name__ == "__main__":
    sys.exit(main())
