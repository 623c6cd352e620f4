#!/usr/bin/env python3
"""Shows what a run of the fraud workflow made. Usage: summary.py MILLRACE HOME RESULT.json (of `millrace run --json`)."""

import csv
import json
import re
import subprocess
import sys

SUSPICIOUS = "2026-03-05T02:10:00Z,950,electronics,online,20,5"


def invoke(millrace, home, endpoint, body):
    """The answer, or what the command said when it refused."""
    done = subprocess.run([millrace, "invoke", endpoint, "--home", home, "--body", body], capture_output=True, text=True)
    return (done.stdout if done.returncode == 0 else "refused: " + done.stderr.removeprefix("millrace: ")).strip()


def rounded(text):
    """The text with its long fractions cut to four digits."""
    return re.sub(r"\d+\.\d{5,}", lambda number: f"{float(number[0]):.4f}", text)


def show_metrics(evaluated):
    print(f"On {evaluated['rows']} held-out transactions (± standard deviation, 500 bootstrap samples):\n")
    print(f"  {'':10}{'logistic regression':>22}{'tuned xgboost':>22}   {'difference, 95 % interval'}")
    for metric in ("auc", "aucpr", "logloss"):
        cells = [evaluated[model][metric] for model in ("baseline", "tuned")]
        shown = [f"{cell['value']:.4f} ± {cell['standard_deviation']:.4f}" for cell in cells]
        both = evaluated["comparison"][metric]
        low, high = both["interval_95"]
        print(f"  {metric:10}{shown[0]:>22}{shown[1]:>22}   {both['difference']:+.4f}  {low:+.4f} … {high:+.4f}")


def show_tuning(tuned):
    counts, best = tuned["trials"], tuned["tuned"]
    print(f"\nTuning    {counts['Completed']} trials ran to their end, {counts['Stopped']} were stopped early; best {tuned['job']}")
    print("          " + ", ".join(f"{name} {float(value):.4g}" for name, value in sorted(best.items())))


def show_deployment(millrace, home, output):
    package, endpoint = output["package"], output["endpoint"]
    print(f"Model     {package['arn'].split('/', 1)[1]}: version {package['version']}, {package['approval']}")
    print(f"Endpoint  {endpoint}: {SUSPICIOUS} → {invoke(millrace, home, endpoint, SUSPICIOUS)}")
    print(f"          a malformed row: {invoke(millrace, home, endpoint, '950')}")


def show_batch(home, uri):
    path = file_of(home, uri + "/new.csv.out")
    with open(path, encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -float(row["score"]))
    top = ", ".join(f"{row['transaction_id']} {float(row['score']):.2f}" for row in rows[:3])
    print(f"Batch     {len(rows)} new transactions scored; highest: {top}")
    return path


def file_of(home, uri):
    """s3://bucket/key is a file of the home."""
    return f"{home}/objects/{uri.removeprefix('s3://')}"


def main():
    millrace, home, result = sys.argv[1:]
    with open(result, encoding="utf-8") as file:
        output = json.load(file)["output"]
    tuned = output["trained"]["tuned"]
    print()
    show_metrics(output["evaluated"])
    show_tuning(tuned)
    print(f"Decision  {output['decision']}: {rounded(output['reason'])}")
    paths = []
    if output["decision"] == "deployed":
        show_deployment(millrace, home, output)
        paths.append(("scores", show_batch(home, output["scores"])))
    for model in ("tuned", "baseline"):
        paths.append((f"plots, {model}", file_of(home, f"{output['evaluation']}/{model}/") + "{roc,precision_recall,calibration,confusion}.svg"))
    paths.append(("tuning", file_of(home, tuned["results"]) + "{trials.csv,best_so_far.svg,eta.svg,max_depth.svg,…}"))
    print()
    for what, path in paths:
        print(f"  {what:16}{path}")


if __name__ == "__main__":
    main()
