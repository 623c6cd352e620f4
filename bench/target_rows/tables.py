"""Other tables: AutoML, CSV, Pipe mode, linear models, clusters, components, networks."""

import array
import json
import math
import subprocess
import sys
from pathlib import Path

from .common import (Line, area, coded, higher, lower, need, peer_or_recorded, peer_python, progress, tried,
                     write_rows)


def floats(path):
    values = array.array("f")
    values.frombytes(Path(path).read_bytes())
    return values


def labels_of(path):
    with open(path, encoding="utf-8") as file:
        return [int(line[:line.index(",")]) for line in file]


def standardised(setup):
    """The generated million of rows, each column less its mean and over its deviation: (file without a target)."""
    need("numpy", "pandas")
    train, _ = setup.transactions()
    path = setup.folder / "standardised.csv"
    if not path.exists():
        peer_python("import sys, numpy as np, pandas as pd\n"
                    "x = pd.read_csv(sys.argv[1], header=None, dtype=np.float32).values[:, 1:]\n"
                    "x = (x - x.mean(0)) / (x.std(0) + 1e-9)\n"
                    "pd.DataFrame(x).to_csv(sys.argv[2], header=False, index=False, float_format='%.7g')\nprint('{}')", train, path)
    return path


def automl(setup):
    """Calls automl_bench.py, a set at a time, and the peer's greedy ensemble."""
    lines, better, sets = [], 0, 0
    budget = {"adult": 25, "letter": 214}
    for name in ("adult", "bank_marketing", "letter", "satellite", "digits", "diamonds"):
        progress(f"  AutoML: {name}")
        done = subprocess.run([sys.executable, str(Path(__file__).resolve().parents[1] / "automl_bench.py"), setup.millrace, "--set", name],
                              capture_output=True, text=True, check=False)
        ours = json.loads(done.stdout) if done.stdout.startswith("{") else {"failed": done.stdout + done.stderr}
        if "failed" in ours:
            lines.append(Line(name, None, note=ours["failed"][-200:]))
            continue
        peer, why = peer_or_recorded(setup, True, lambda: need("sklearn", "xgboost"), "automl.py", (name,), kind="automl", data=name)
        first = "rmse" if name == "diamonds" else "logloss"
        theirs = peer["metrics"].get(first, peer["metrics"].get("mlogloss"))
        if name == "diamonds":  # the peer's ensemble lost to its own best candidate, which is the figure to beat
            theirs = min(theirs, *(c["rmse"] for c in peer["leaderboard"].values()))
        common = {"peer_name": "greedy ensemble of scikit-learn and xgboost", "recorded": "recorded" in peer, "note": why}
        lines.append(Line(f"{name} {first}", ours["winner"][first], theirs, lower(theirs), **common))
        better += ours["winner"][first] < theirs
        sets += 1
        lines.append(Line(f"{name}: standard errors behind its best candidate", ours["worse_than_best_single_by_standard_errors"], bar=lower(1)))
        lines.append(Line(f"{name} CPU s", ours["cpu_s"], peer["fit_cpu_s"], lower(budget[name]) if name in budget else None, **common))
    return [Line(f"sets better than the peer, of {sets}", better, bar=higher(4))] + lines


LONG_CSV = ("import random, sys\nr = random.Random(1)\nwith open(sys.argv[1], 'w') as f:\n"
            "    for _ in range(300000):\n        f.write(','.join('%.7f' % r.random() for _ in range(20)) + '\\n')\nprint('{}')")
PANDAS_CSV = ("import sys, os, time, json, numpy as np, pandas as pd\nbest = 1e9\nfor _ in range(3):\n    c = time.thread_time()\n"
              "    pd.read_csv(sys.argv[1], header=None, dtype=np.float32, engine='c').values\n    best = min(best, time.thread_time() - c)\n"
              "print(json.dumps({'gb_s': os.path.getsize(sys.argv[1]) / best / 1e9}))")


def csv(setup):
    short, _ = setup.transactions()
    long = setup.folder / "long.csv"
    if not long.exists():
        peer_python(LONG_CSV, long)
    lines = []
    for name, path, bar in (("short cells", short, 0.6), ("long cells", long, 1.1)):
        rates = {}
        for line in setup.bench("csv", path).stdout.splitlines():
            words = line.split()
            rates[line[:28].strip()] = float(words[-2]) / 1e3
        peer, why = tried(lambda: (need("pandas"), peer_python(PANDAS_CSV, path))[1])
        theirs = peer and peer["gb_s"]
        lines.append(Line(f"{name}: GB/s", rates["straight into rows"], theirs, higher(bar), "pandas, C engine", note=why))
        lines.append(Line(f"{name}: GB/s as a table", rates["as a table"], theirs, None, "pandas, C engine", note=why))
    return lines


def pipe(setup):
    rows = 80_000_000 if setup.options.large else 10_000_000
    path = setup.generated(rows, 7)
    size = path.stat().st_size
    lines = []
    for rate, where in ((0, "local disk"), (200, "200 MB/s")):
        modes = {}
        for line in setup.bench("pipe", path, *([rate] if rate else [])).stdout.splitlines():
            mode = json.loads(line)
            modes[mode["mode"]] = mode
        ours, theirs = modes["Pipe"], modes["File"]
        note = f"{size / 1e9:.2f} GB; the peer is our own File mode"
        lines.append(Line(f"{where}: first step s", ours["first_step_s"], theirs["first_step_s"], lower(0.1), "File mode", note=note))
        # 6.5 s are for 2.6 GB.
        total = 6.5 * size / 2.63e9 if not rate else 1.03 * size / (rate * 1e6)
        lines.append(Line(f"{where}: total s", ours["total_s"], theirs["total_s"], lower(total), "File mode", note=note))
        lines.append(Line(f"{where}: total less than File mode's by", 1 - ours["total_s"] / theirs["total_s"], bar=higher(0.35), note=note))
        lines.append(Line(f"{where}: peak MB", ours["peak_mb"], theirs["peak_mb"], lower(64), "File mode", note=note))
    return lines


def estimator(setup, algorithm, train, test, *more):
    return setup.bench_json("estimator", algorithm, train, test, *more)


def logistic(setup):
    """All rows at once beside the peer's exact fit, and one epoch of mini-batches beside its own descent."""
    train, test = setup.transactions()
    labels, lines = labels_of(test), []
    for name, settings, model, peer_name, auc in (("all rows at once", (), "logreg", "LogisticRegression", 0.929),
                                                  ("one epoch of Adam", ("optimizer=adam", "epochs=1"), "sgd", "SGDClassifier", 0.932)):
        scores = setup.folder / f"{model}.f32"
        ours, peer = [], []
        for _ in range(setup.options.turns):
            ours.append(estimator(setup, "linear-learner", train, test, "predictor_type=binary_classifier", *settings, "--scores", scores))
            one, why = peer_or_recorded(setup, False, lambda: need("sklearn"), "large.py", (train, test, model), kind="large", model=model,
                                        rows=1_000_000)
            peer.append(one)
        fit = min((one["fit"] for one in ours), key=lambda fit: fit["wall_s"])
        cpu = min(one["fit"]["cpu_s"] for one in ours)
        common = {"peer_name": peer_name, "recorded": "recorded" in peer[0], "note": why}
        lines += [Line(f"{name}: wall s", fit["wall_s"], min(p["fit_wall_s"] for p in peer), lower(0.5), cpu_s=cpu / 2, **common),
                  Line(f"{name}: CPU s", cpu, min(p["fit_cpu_s"] for p in peer), lower(1.0), **common),
                  Line(f"{name}: AUC", area(labels, floats(scores)), peer[0]["metrics"]["auc"], higher(auc), **common)]
    return lines


def kmeans(setup):
    data = standardised(setup)
    train, test = setup.transactions()
    ours = estimator(setup, "kmeans", data, "-", "--no-target", "k=10", "local_lloyd_num_trials=1", "local_lloyd_init_method=random",
                     "local_lloyd_max_iter=20", "local_lloyd_tol=0", "--fits", setup.options.turns)
    peer, why = peer_or_recorded(setup, False, lambda: need("sklearn"), "large.py", (train, test, "kmeans"), kind="large", model="kmeans",
                                 rows=1_000_000)
    common = {"peer_name": "KMeans", "recorded": "recorded" in peer, "note": why}
    lines = [Line("1 M x 10, wall s", ours["fit"]["wall_s"], peer["fit_wall_s"], lower(0.5), cpu_s=ours["fit"]["cpu_s"] / 2, **common),
             Line("1 M x 10, CPU s", ours["fit"]["cpu_s"], peer["fit_cpu_s"], lower(1.0), **common),
             Line("1 M x 10, inertia", ours["metrics"].get("train:msd", math.nan) * ours["rows"], peer["metrics"]["inertia"], None, **common)]
    for name, best in (("digits", 69944), ("satellite", 48926), ("letter", 121150)):
        path, k = whole_standardised(setup, name)
        scores = setup.folder / "distances.f32"
        estimator(setup, "kmeans", path, path, "--no-target", f"k={k}", "--scores", scores)
        inertia = sum(d * d for d in floats(scores)[1::2])
        peer, why = peer_or_recorded(setup, False, lambda: need("sklearn"), "cluster.py", (name, "kmeans"), kind="cluster", data=name,
                                     model="kmeans")
        lines.append(Line(f"{name}: inertia", inertia, peer["metrics"]["inertia"], lower(best * 1.001), "KMeans, best of 10",
                          "recorded" in peer, why))
    return lines


def whole_standardised(setup, name):
    """All rows of a set, standardised, without the target; and how many classes it has."""
    _, classes, parts = coded(name)
    rows = [[float(v) for v in row[1:]] for part in parts.values() for row in part]
    columns = []
    for column in zip(*rows):
        mean = sum(column) / len(column)
        deviation = math.sqrt(sum((v - mean) ** 2 for v in column) / len(column)) or 1
        columns.append([(v - mean) / deviation for v in column])
    return write_rows(setup.folder / f"{name}-standardised.csv", zip(*columns)), classes


SKLEARN_PCA = ("import sys, json, time, numpy as np, pandas as pd\nfrom sklearn.decomposition import PCA\n"
               "x = pd.read_csv(sys.argv[1], header=None, dtype=np.float32).values\nbest = (1e9, 1e9)\nfor _ in range(int(sys.argv[2])):\n"
               "    w, c = time.perf_counter(), time.process_time(); e = PCA(5).fit(x); best = min(best, (time.perf_counter() - w, time.process_time() - c))\n"
               "e = PCA(5, svd_solver='full').fit(x.astype(np.float64))\n"
               "print(json.dumps({'wall_s': best[0], 'cpu_s': best[1], 'components': e.components_.tolist()}))")


def pca(setup):
    data = standardised(setup)
    # A row of zeros and those of the identity: what they are projected to, less the first, are the components.
    unit = write_rows(setup.folder / "unit.csv", [[0] * 10] + [[int(i == j) for j in range(10)] for i in range(10)])
    scores = setup.folder / "projected.f32"
    ours = estimator(setup, "pca", data, unit, "--no-target", "num_components=5", "--scores", scores, "--fits", setup.options.turns)
    peer, why = tried(lambda: (need("sklearn"), peer_python(SKLEARN_PCA, data, setup.options.turns))[1])
    peer = peer or {"wall_s": None, "cpu_s": None}
    lines = [Line("wall s", ours["fit"]["wall_s"], peer["wall_s"], lower(0.2), "PCA", note=why, cpu_s=ours["fit"]["cpu_s"] / 2),
             Line("CPU s", ours["fit"]["cpu_s"], peer["cpu_s"], lower(0.4), "PCA", note=why)]
    if "components" in peer:
        rows = floats(scores)
        projected = [rows[i * 5:i * 5 + 5] for i in range(11)]
        largest = 0
        for c, theirs in enumerate(peer["components"]):
            mine = [projected[j + 1][c] - projected[0][c] for j in range(10)]
            sign = 1 if sum(a * b for a, b in zip(mine, theirs)) > 0 else -1
            largest = max(largest, *(abs(sign * a - b) for a, b in zip(mine, theirs)))
        lines.append(Line("largest difference of a component", largest, bar=lower(1e-6), note="from PCA(svd_solver='full') in double precision"))
    return lines


SKLEARN_MLP = ("import sys, json, time, warnings, numpy as np, pandas as pd\nwarnings.filterwarnings('ignore')\n"
               "from sklearn.neural_network import MLPClassifier\nfrom threadpoolctl import threadpool_limits\n"
               "a = pd.read_csv(sys.argv[1], header=None).values; x, y = a[:, 1:].astype('f4'), a[:, 0].astype(int)\n"
               "with threadpool_limits(1):\n    c = time.process_time(); MLPClassifier((128, 64), batch_size=200, max_iter=5, random_state=1).fit(x, y)\n"
               "    c = time.process_time() - c\nprint(json.dumps({'samples_s': 5 * len(x) / c}))")


def mlp(setup):
    meta, classes, parts = coded("letter")
    rows = [[r[0]] + [(float(v) - 5) / 3 for v in r[1:]] for r in parts["train"]]
    path = write_rows(setup.folder / "letter-train.csv", rows)
    test = write_rows(setup.folder / "letter-test.csv", [[r[0]] + [(float(v) - 5) / 3 for v in r[1:]] for r in parts["test"]])
    network = ("predictor_type=multiclass_classifier", f"num_classes={classes}", "hidden_layers=128,64", "mini_batch_size=200")
    ours = estimator(setup, "mlp", path, "-", "--threads", 1, *network, "epochs=30", "early_stopping_patience=1000")
    peer, why = tried(lambda: (need("sklearn", "threadpoolctl"), peer_python(SKLEARN_MLP, path))[1])
    epochs = ours["fit"]["rounds"]
    lines = [Line("k samples a CPU second, 1 thread", epochs * len(rows) / ours["fit"]["cpu_s"] / 1e3, peer and peer["samples_s"] / 1e3, higher(1000),
                  "MLPClassifier", note=why)]
    scores = setup.folder / "letter.f32"
    ours = estimator(setup, "mlp", path, test, "predictor_type=multiclass_classifier", f"num_classes={classes}", "hidden_layers=128,64", "--scores", scores)
    shares = floats(scores)
    right = 0
    for i, row in enumerate(parts["test"]):
        one = shares[i * classes:(i + 1) * classes]
        right += max(range(classes), key=one.__getitem__) == row[0]
    peer, why = peer_or_recorded(setup, False, lambda: need("sklearn"), "tabular.py", ("letter", "mlp"), kind="tabular", data="letter", model="mlp")
    common = {"peer_name": "MLPClassifier", "recorded": "recorded" in peer, "note": why}
    return lines + [Line("letter: accuracy", right / len(parts["test"]), peer["metrics"]["accuracy"], higher(0.9495), **common),
                    Line("letter: wall s", ours["fit"]["wall_s"], peer["fit_wall_s"], lower(6.6), cpu_s=ours["fit"]["cpu_s"] / 2, **common),
                    Line("letter: CPU s", ours["fit"]["cpu_s"], peer["fit_cpu_s"], None, **common)]
