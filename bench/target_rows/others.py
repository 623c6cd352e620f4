"""Streams, series, texts, ratings, search; bias and drift against golden files."""

import csv
import datetime
import hashlib
import json
import math

from .common import (PEERS, Line, Skipped, channel, data, higher, lower, need, need_r, parts_of, peer_or_recorded, run_states, train,
                     write_rows)
from .tables import floats

# Streams


def nab_place(place):
    return 2 / (1 + math.exp(5 * place)) - 1


def nab_points(scores, windows, probation, threshold):
    """The standard profile's points of one stream: early detections in a window count most, a false one costs 0.11."""
    points, caught = 0.0, {}
    for row in range(probation, len(scores)):
        if scores[row] < threshold:
            continue
        inside = next((w for w in windows if w[0] <= row <= w[1]), None)
        before = [w for w in windows if w[1] < row]
        if inside:
            caught[inside] = max(caught.get(inside, -1), nab_place(-(inside[1] - row + 1) / (inside[1] - inside[0] + 1)))
        elif not before:
            points -= 0.11
        else:
            past = (row - before[-1][1]) / max(1, before[-1][1] - before[-1][0])
            points += 0.11 * (nab_place(past) if past <= 3 else -1)
    return points + sum(v / nab_place(-1) for v in caught.values()) - (len(windows) - len(caught))


def nab_streams():
    """(name, values, windows as rows, rows of probation) of each stream."""
    out = []
    for name, facts in json.loads(data("nab/windows.json").read_text()).items():
        with open(data(f"nab/{name}"), newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        times = [datetime.datetime.fromisoformat(r["timestamp"]) for r in rows]
        windows = []
        for first, last in facts["windows"]:
            inside = [i for i, t in enumerate(times) if datetime.datetime.fromisoformat(first) <= t <= datetime.datetime.fromisoformat(last)]
            windows.append((inside[0], inside[-1]))
        out.append((name, [float(r["value"]) for r in rows], windows, facts["probation_rows"]))
    return out


def nab_score(streams, scores):
    """Of 100, with one threshold for all streams; scores are put between 0 and 1 by stream."""
    scaled, windows = [], sum(len(w) for _, _, w, _ in streams)
    for (_, _, _, probation), values in zip(streams, scores):
        low, high = min(values[probation:]), max(values[probation:])
        scaled.append([(v - low) / ((high - low) or 1) for v in values])
    everything = sorted(v for values in scaled for v in values)
    best = -1e9
    for step in list(range(900, 999, 2)) + [999, 999.5, 999.9]:
        threshold = everything[int(step / 1000 * (len(everything) - 1))]
        best = max(best, sum(nab_points(values, w, probation, threshold) for (_, _, w, probation), values in zip(streams, scaled)))
    return 100 * (best + windows) / (2 * windows)


def stream_scores(setup, streams, *settings):
    """What the forest of streams says of each point as it comes; points of all streams a second."""
    scores, points, seconds = [], 0, 0.0
    for number, (_, values, _, _) in enumerate(streams):
        path = setup.folder / f"stream-{number}.txt"
        path.write_text("\n".join(map(repr, values)))
        done = setup.bench("streams", "score", path, *settings)
        scores.append([float(line) for line in done.stdout.split()])
        words = done.stderr.split()
        points, seconds = points + int(words[0]), seconds + int(words[0]) / float(words[2])
    return scores, points / seconds


def refitted_scores(setup, streams, shingle=1, every=500):
    """The algorithm randomcutforest, fitted anew every 500 points on all that came before."""
    out = []
    for number, (_, values, _, probation) in enumerate(streams):
        first = values[:probation]
        mean = sum(first) / len(first)
        deviation = math.sqrt(sum((v - mean) ** 2 for v in first) / len(first)) or 1
        rows = [[(values[max(0, i - s)] - mean) / deviation for s in reversed(range(shingle))] for i in range(len(values))]
        scores = [0.0] * probation
        for begin in range(probation, len(rows), every):
            past = write_rows(setup.folder / f"past-{number}.csv", rows[:begin])
            coming = write_rows(setup.folder / f"coming-{number}.csv", rows[begin:begin + every])
            path = setup.folder / "stream.f32"
            setup.bench_json("estimator", "randomcutforest", past, coming, "--no-target", "num_trees=50", "time_decay=0.0004",
                             "--scores", path)
            scores += list(floats(path))
        out.append(scores)
    return out


def anomalies(setup):
    streams = nab_streams()
    peer, why = peer_or_recorded(setup, False, lambda: need("sklearn"), "anomaly.py", ("nab", "lof"), kind="anomaly", data="nab", model="lof")
    common = {"peer_name": "LOF, refitted every 500", "recorded": "recorded" in peer, "note": why}
    _, rate = stream_scores(setup, streams, 48, 50)
    one, _ = stream_scores(setup, streams, 1, 50)
    return [Line("k points/s, shingle 48, 50 trees", rate / 1e3, peer["points_s"] / 1e3, higher(25), **common),
            Line("NAB, refitted every 500", nab_score(streams, refitted_scores(setup, streams)), peer["metrics"]["nab_standard"], higher(60), **common),
            Line("NAB, point by point", nab_score(streams, one), peer["metrics"]["nab_standard"], None, **common)]


# Series

def forecasting(setup):
    lines = []
    for name, parameters, horizon, peers, bars in (
            ("m4_hourly", {"prediction_length": 48, "time_freq": "H"}, 48, [("forecast.R", "stlm_ar", "R_stlm_ar", True), ("forecast.py", "theta", "theta", False)],
             {"test:sMAPE": 9.0, "test:MASE": 0.88, "seconds": 1.0}),
            ("tourism", {"prediction_length": 8}, 8, [("forecast.py", "theta", "theta", False)], {"test:MASE": 0.945, "seconds": 0.5})):
        rows = data(f"{name}/data.csv").read_text(encoding="utf-8").splitlines(keepends=True)
        item = [row.rsplit(",", 2)[0] for row in rows]
        past = rows[:1] + [row for i, row in enumerate(rows) if i and i + horizon < len(rows) and item[i + horizon] == item[i]]
        path = setup.folder / f"{name}-past.csv"
        path.write_text("".join(past), encoding="utf-8")
        result = train(setup, "forecasting", parameters, [channel("train", "s3://b/past.csv"), channel("test", "s3://b/all.csv")],
                       {"past.csv": path, "all.csv": data(f"{name}/data.csv")})
        found = []
        for script, method, model, long in peers:
            folder = data(name) if script.endswith(".R") else name
            found.append(peer_or_recorded(setup, long, (lambda: need_r("forecast")) if script.endswith(".R") else (lambda: need("statsmodels")), script,
                                          (folder, method), kind="forecast", data=name, model=model))
        for measure, key in (("sMAPE", "smape"), ("MASE", "mase")):
            peer, why = min(found, key=lambda p: p[0]["metrics"][key])
            limit = bars.get("test:" + measure)
            lines.append(Line(f"{name} {measure}", result["metrics"]["test:" + measure], peer["metrics"][key], lower(limit) if limit else None,
                              peer["model"], "recorded" in peer, why))
        lines.append(Line(f"{name} s, the job", result["train_s"], peer["fit_wall_s"], lower(bars["seconds"]), peer["model"], "recorded" in peer, why,
                          cpu_s=result["cpu_s"]))
        lines.append(Line(f"{name} CPU s, the whole process", result["cpu_s"], peer["fit_cpu_s"], None, peer["model"], "recorded" in peer, why))
    return lines


# Texts

def spam(setup):
    meta, header, parts = parts_of("sms_spam")
    label, text = header.index("label"), header.index("text")
    files = {"train.csv": write_rows(setup.folder / "sms-train.csv", [header] + parts["train"]),
             "test.jsonl": setup.folder / "sms-test.jsonl"}
    files["test.jsonl"].write_text("".join(json.dumps({"source": row[text], "k": 2}) + "\n" for row in parts["test"]), encoding="utf-8")
    # Chosen by the errors on the part `valid`.
    parameters = {"mode": "supervised", "target": "label", "epochs": 10, "learning_rate": 0.2, "vector_dim": 16, "min_count": 1, "min_char": 2,
                  "max_char": 5, "normalize_text": "false"}
    results = [train(setup, "blazingtext", p, [channel("train", "s3://b/train.csv")], files, score="test.jsonl", score_type="application/jsonlines")
               for p in (parameters, parameters, {"mode": "supervised", "target": "label"})]

    def f1(result):
        right = wrong = 0
        for line, row in zip(result["scores"].splitlines(), parts["test"]):
            answer = json.loads(line)
            said, spam_ = answer["label"][0] == "__label__spam", row[label] == "spam"
            right, wrong = right + (said and spam_), wrong + (said != spam_)
        return 2 * right / (2 * right + wrong)

    peer, why = peer_or_recorded(setup, False, lambda: need("sklearn", "fasttext"), "text.py", ("sms_spam", "fasttext"), kind="text",
                                 data="sms_spam", model="fasttext")
    common = {"peer_name": "fastText", "recorded": "recorded" in peer, "note": why}
    bytes_ = [hashlib.sha256(r["model"].read_bytes()).hexdigest() for r in results[:2]]
    return [Line("F1", f1(results[0]), peer["metrics"]["f1"], higher(0.983), **common),
            Line("F1 with default settings", f1(results[2]), peer["metrics"]["f1"], None, **common),
            Line("fit s, the job", results[0]["train_s"], peer["fit_wall_s"], lower(1), cpu_s=results[0]["cpu_s"], **common),
            Line("CPU s, the whole process", results[0]["cpu_s"], peer["fit_cpu_s"], None, **common),
            Line("same bytes every run", bytes_[0] == bytes_[1], bar=("==", True))]


# Ratings

def ratings(setup):
    _, header, parts = parts_of("inst_eval")
    files = {f"{part}.csv": write_rows(setup.folder / f"ratings-{part}.csv", [header] + rows) for part, rows in parts.items()}
    parameters = {"predictor": "explicit", "user_column": "student", "item_column": "lecturer", "value_column": "rating",
                  "context_columns": "studage,lectage,service,dept"}
    result = train(setup, "als", parameters, [channel("train", "s3://b/train.csv"), channel("test", "s3://b/test.csv")], files)
    peer, why = peer_or_recorded(setup, False, lambda: need_r("lme4"), "recommend.R", (data("inst_eval"), "context"), kind="ratings",
                                 data="inst_eval", model="lme4_context")
    common = {"peer_name": "lme4 with context", "recorded": "recorded" in peer, "note": why}
    return [Line("RMSE", result["metrics"]["test:rmse"], peer["metrics"]["rmse"], lower(1.2026), **common),
            Line("s, the job", result["train_s"], peer["fit_wall_s"], lower(0.5), cpu_s=result["cpu_s"], **common),
            Line("CPU s, the whole process", result["cpu_s"], peer["fit_cpu_s"], None, **common)]


# Search

def search(setup):
    ours = setup.bench_json("search", 11)
    peers = {}
    for name, model in (("tpe", "optuna_tpe"), ("tpe_mv", "optuna_tpe_mv")):
        peers[model] = peer_or_recorded(setup, True, lambda: need("optuna", "xgboost"), "hpo.py", (name, 11), kind="hpo", model=model)
    peer, why = peers["optuna_tpe"]
    quick = min((p for p, _ in peers.values()), key=lambda p: p["overhead"]["ms_per_trial_at_1000"])
    lines = [Line("ms a suggestion at 1,000 trials", ours["ms_a_suggestion"]["tpe"]["1000"], quick["overhead"]["ms_per_trial_at_1000"], lower(1),
                  quick["model"], "recorded" in quick, why)]
    for function, medians in ours["medians"].items():
        for trials, model in (("25", "optuna_tpe_mv"), ("100", None), ("200", "optuna_tpe")):
            chosen = [peers[model]] if model else list(peers.values())
            peer, why = min(chosen, key=lambda p: p[0]["metrics"][function][trials])
            theirs = peer["metrics"][function][trials]
            lines.append(Line(f"{function}, median at {trials}", medians["tpe"][trials], theirs, lower(theirs) if model else None, peer["model"],
                              "recorded" in peer, why))
    return lines


# Golden files

def golden(name):
    path = PEERS / "golden" / name
    if not path.exists():
        raise Skipped(f"{path} is not there")
    return json.loads(path.read_text())


def processing(image, settings, inputs, output):
    return {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createProcessingJob.sync", "ResultPath": "$." + output, "Parameters": {
        "ProcessingJobName": output, "AppSpecification": {"ImageUri": image}, **({"Environment": {"SETTINGS": json.dumps(settings)}} if settings else {}),
        "ProcessingInputs": [{"InputName": k, "S3Input": {"S3Uri": f"s3://b/{v}"}} for k, v in inputs.items()],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": output, "S3Output": {"S3Uri": f"s3://b/{output}"}}]}}}


def bias(setup):
    expected = golden("bias_adult.json")
    _, header, parts = parts_of("adult")
    education, gain = header.index("education_num"), header.index("capital_gain")
    rows = [row + [">50K" if float(row[education]) >= 13 or float(row[gain]) > 5000 else "<=50K"] for row in parts["test"]]
    head = header + ["predicted"]
    settings = {"label": "income", "label_values_or_threshold": [">50K"], "predicted_label": "predicted", "group_variable": "marital_status",
                "facet": [{"name_or_index": "sex", "value_or_threshold": ["Female"]}], "excluded_columns": ["fnlwgt"]}
    files = {"all.csv": write_rows(setup.folder / "adult-all.csv", [head] + rows),
             "first.csv": write_rows(setup.folder / "adult-first.csv", [head] + rows[:3000])}
    objects = run_states(setup, {"All": processing("bias", settings, {"dataset": "all.csv"}, "all"),
                                 "First": processing("bias", settings, {"dataset": "first.csv"}, "first")}, files)["objects"]
    lines = []
    for stage in ("pre_training", "post_training"):
        largest, worst = 0.0, ""
        for name, entry in expected[stage].items():
            report = json.loads((objects / ("first" if name == "FT" else "all") / "analysis.json").read_text())
            metrics = report[stage + "_bias_metrics"]["facets"]["sex"][0]["metrics"]
            value = next(m["value"] for m in metrics if m["name"] == name)
            if abs(value - entry["value"]) >= largest:
                largest, worst = abs(value - entry["value"]), name
        lines.append(Line(f"{stage.replace('_', '-')}: largest difference of {len(expected[stage])}", largest, bar=lower(1e-8), note=worst))
    return lines


def drift(setup):
    expected = golden("drift.json")["features"]
    path = setup.generated(200_000, 7, layout="joined", more=("--drift", "100000"))
    lines = path.read_text().splitlines(keepends=True)
    head = lines[0].strip().split(",")
    state, here = head.index("state"), head.index("transaction_state")

    def part(name, rows):
        file = setup.folder / name
        with open(file, "w", encoding="utf-8") as out:
            out.write(lines[0].strip() + ",out_of_state\n")
            for line in rows:
                cells = line.strip().split(",")
                out.write(line.strip() + f",{'yes' if cells[state] != cells[here] else 'no'}\n")
        return file
    files = {"before.csv": part("before.csv", lines[1:100_001]), "now.csv": part("now.csv", lines[100_001:])}
    objects = run_states(setup, {"Baseline": processing("monitor", None, {"dataset": "before.csv"}, "baseline"),
                                 "Check": processing("monitor", None, {"dataset": "now.csv", "baseline": "baseline"}, "check")}, files)["objects"]
    found = {}
    for file in sorted((objects / "check").glob("*.json")):
        report = json.loads(file.read_text())
        if isinstance(report, dict) and isinstance(report.get("features"), dict):
            found |= report["features"]
    out = []
    for name, measures in expected.items():
        if name not in found:
            out.append(Line(name, None, note="the report has no drift of it"))
            continue
        # Golden numbers have eight digits. Of numbers the baseline keeps a sketch of 2,048, as Model Monitor's does: what goes by ranks is near.
        near = [m for m in measures if "ks" in measures and m != "mean_shift"]
        for kept, bar in (([m for m in measures if m not in near], lower(1e-8)), (near, None)):
            if not kept:
                continue
            differences = {m: abs(found[name][m] - measures[m]) / max(1.0, abs(measures[m]) * 10) for m in kept}
            worst = max(differences, key=differences.get)
            note = worst + ("" if bar else ", by a sketch of the baseline; the functions themselves are compared in tests/tasks/monitor")
            out.append(Line(f"{name}: largest difference of {len(kept)}", differences[worst], bar=bar, note=note))
    return out
