"""What the rows share: where things are, peers in processes of their own, jobs, and the lines of the table."""

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
from dataclasses import asdict, dataclass, field
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "../shared"
DATA = SHARED / "data"
PEERS = SHARED / "peers/ml"
PYTHON = "/usr/bin/python3"  # the one that sees Debian's packages
PACKAGES = {"sklearn": "python3-sklearn", "xgboost": "python3-xgboost", "pandas": "python3-pandas", "statsmodels": "python3-statsmodels",
            "fasttext": "python3-fasttext", "optuna": "python3-optuna", "numpy": "python3-numpy", "scipy": "python3-scipy",
            "forecast": "r-cran-forecast", "lme4": "r-cran-lme4"}


class Skipped(Exception):
    """Why a row, or a peer, can't run."""


@dataclass
class Line:
    """One figure of a capability beside the peer's. `bar` is ("<=" or ">=" or "==", value) or None."""
    measure: str
    ours: object
    peer: float | None = None
    bar: tuple | None = None
    peer_name: str = ""
    recorded: bool = False  # the peer's figure is not of this run
    note: str = ""
    cpu_s: float | None = None  # of a time: what of it one processor worked
    load: float = 0  # of the machine while the row ran

    @property
    def met(self):
        if self.bar is None or self.ours is None:
            return None
        relation, value = self.bar
        return {"<=": self.ours <= value, ">=": self.ours >= value, "==": self.ours == value}[relation]

    @property
    def busy(self):
        """A time that misses its bar only because the machine had other things to do."""
        return self.met is False and self.cpu_s is not None and self.cpu_s <= self.bar[1] and self.load > 2

    @property
    def ratio(self):
        """How many times better than the peer, by the direction of the bar."""
        if self.peer in (None, 0) or not self.ours or isinstance(self.ours, bool) or self.bar is None or self.bar[0] == "==":
            return None
        return self.peer / self.ours if self.bar[0] == "<=" else self.ours / self.peer

    def as_json(self):
        return {k: v for k, v in asdict(self).items() if v not in (None, "", False, 0)} | {
            "ours": self.ours, **({"met": self.met} if self.met is not None else {}), **({"busy": True} if self.busy else {}), **({"ratio": self.ratio} if self.ratio else {})}


def lower(value):
    return ("<=", value)


def higher(value):
    return (">=", value)


@dataclass
class Setup:
    millrace: str
    options: object
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="millrace-targets-")))
    kept: dict = field(default_factory=dict)  # results that several rows are made of

    def once(self, name, make):
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def bench(self, name, *arguments):
        """What a bench program prints; it stands beside the program unless --bench says where."""
        program = Path(self.options.bench or Path(self.millrace).parent) / f"millrace_bench_{name}"
        if not program.exists():
            raise Skipped(f"{program.name} is not built")
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, env=environment(), check=False)
        if done.returncode not in (0, 1) or not done.stdout:
            raise Skipped(f"{program.name}: {(done.stderr or done.stdout)[-300:].strip()}")
        return done

    def bench_json(self, name, *arguments):
        return json.loads(self.bench(name, *arguments).stdout)

    def generated(self, rows, seed, layout="numeric", more=()):
        """A file of generated transactions; its generator is compiled when the first is asked for."""
        path = self.folder / f"transactions-{layout}-{rows}-{seed}.csv"
        if not path.exists():
            source = data("generate_transactions.cpp")
            program = self.folder / "generate"
            if not program.exists():
                done = subprocess.run([os.environ.get("CXX", "g++"), "-std=c++20", "-O2", str(source), "-o", str(program)],
                                      capture_output=True, text=True, check=False)
                if done.returncode:
                    raise Skipped("the generator does not compile: " + done.stderr[-300:])
            subprocess.run([str(program), "--rows", str(rows), "--seed", str(seed), "--layout", layout,
                            "--out", str(path), *more], check=True)
        return path

    def transactions(self, rows=1_000_000):
        return self.generated(rows, 7), self.generated(200_000, 8, more=("--customers", "20010"))


def environment():
    return dict(os.environ, OMP_WAIT_POLICY="passive", OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2", PYTHONWARNINGS="ignore")


def data(name):
    path = DATA / name
    if not path.exists():
        raise Skipped(f"{path} is not there")
    return path


# Peers

def need(*modules):
    missing = [m for m in modules if subprocess.run([PYTHON, "-c", f"import {m}"], capture_output=True, check=False).returncode]
    if missing:
        raise Skipped("not installed: " + ", ".join(PACKAGES.get(m, m) for m in missing))


def need_r(*packages):
    for package in packages:
        done = subprocess.run(["Rscript", "-e", f"library({package})"], capture_output=True, check=False) if shutil.which("Rscript") else None
        if done is None or done.returncode:
            raise Skipped("not installed: " + PACKAGES.get(package, package))


def peer_script(script, *arguments):
    """The JSON line that a script of ../shared/peers/ml prints, and the processor time of its process."""
    path = PEERS / script
    if not path.exists():
        raise Skipped(f"{path} is not there")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(["Rscript" if script.endswith(".R") else PYTHON, str(path), *map(str, arguments)], capture_output=True, text=True,
                          env=environment(), cwd=PEERS, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise Skipped(f"{script}: {done.stderr.strip()[-200:]}")
    return json.loads(lines[-1]) | {"process_cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def recorded(**fields):
    """The peer's line of an earlier run on the reference machine, marked so."""
    path = PEERS / "results.jsonl"
    if not path.exists():
        raise Skipped(f"{path} is not there")
    for text in path.read_text().splitlines():
        line = json.loads(text)
        if all(line.get(k) == v for k, v in fields.items()):
            return line | {"recorded": True}
    raise Skipped(f"no recorded figure of {fields}")


def peer_or_recorded(setup, long, needed, script, arguments, **fields):
    """The peer in this run; one that takes minutes only with --long, else its recorded figure; and why."""
    if long and not setup.options.long:
        return recorded(**fields), "takes minutes: --long"
    try:
        needed()
        return peer_script(script, *arguments), ""
    except Skipped as why:
        return recorded(**fields), str(why)


def peer_python(code, *arguments):
    """The JSON that a few lines of Python print, run by the interpreter that sees the peers."""
    done = subprocess.run([PYTHON, "-c", code, *map(str, arguments)], capture_output=True, text=True, env=environment(), check=False)
    if done.returncode:
        raise Skipped("peer: " + done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout)


def tried(make):
    """(what the peer gave, ""), or (None, why not)."""
    try:
        return make(), ""
    except Skipped as why:
        return None, str(why)


# Jobs

def channel(name, uri, content_type="text/csv", **more):
    return {"ChannelName": name, "ContentType": content_type, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}, **more}


def run_states(setup, states, puts):
    """Runs a workflow of one state after another; what it answers, the folder of its objects, seconds of its process."""
    names = list(states)
    machine = {"StartAt": names[0], "States": {}}
    for name, following in zip(names, names[1:] + [None]):
        machine["States"][name] = states[name] | ({"Next": following} if following else {"End": True})
    folder = Path(tempfile.mkdtemp(dir=setup.folder))
    (folder / "workflow.json").write_text(json.dumps(machine))
    options = sum((["--put", f"s3://b/{name}={file}"] for name, file in puts.items()), [])
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    done = subprocess.run([setup.millrace, "--home", str(folder / "home"), "--json", "run", str(folder / "workflow.json"), "--quiet", *options],
                          capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise Skipped("job failed: " + (done.stdout + done.stderr)[-500:])
    return {"output": json.loads(done.stdout)["output"], "objects": folder / "home/objects/b", "wall_s": time.time() - begun,
            "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def train(setup, image, parameters, channels, puts, score=None, score_type="text/csv"):
    """A training job, and a batch transform of the object `score` with its model. FinalMetricDataList as `metrics`."""
    task = "arn:aws:states:::sagemaker:"
    states = {"Train": {"Type": "Task", "Resource": task + "createTrainingJob.sync", "ResultPath": "$.job", "Parameters": {
        "TrainingJobName": "job", "AlgorithmSpecification": {"TrainingImage": image},
        "HyperParameters": {k: str(v) for k, v in parameters.items()}, "InputDataConfig": channels,
        "OutputDataConfig": {"S3OutputPath": "s3://b/models"}}}}
    if score:
        states["Model"] = {"Type": "Task", "Resource": task + "createModel", "ResultPath": None, "Parameters": {
            "ModelName": "model", "PrimaryContainer": {"ModelDataUrl.$": "$.job.ModelArtifacts.S3ModelArtifacts"}}}
        states["Score"] = {"Type": "Task", "Resource": task + "createTransformJob.sync", "ResultPath": None, "Parameters": {
            "TransformJobName": "score", "ModelName": "model",
            "TransformInput": {"ContentType": score_type, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://b/{score}"}}},
            "TransformOutput": {"S3OutputPath": "s3://b/scores"}}}
    result = run_states(setup, states, puts)
    job = result["output"]["job"]
    result["metrics"] = {m["MetricName"]: m["Value"] for m in job["FinalMetricDataList"]}
    result["train_s"] = (job["TrainingEndTime"] - job["TrainingStartTime"]) / 1000
    result["model"] = result["objects"] / job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://b/")
    if score:
        result["scores"] = next((result["objects"] / "scores").glob("*.out")).read_text()
    return result


# Tables with fixed splits

def parts_of(name):
    """(meta, header, {part: rows}) of a set; rows as text cells, the dropped columns left out."""
    meta = json.loads(data(f"{name}/meta.json").read_text())
    with open(data(f"{name}/data.csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    with open(data(f"{name}/split.csv"), newline="", encoding="utf-8") as file:
        part = {int(r["row"]): r["part"] for r in csv.DictReader(file)}
    kept = [i for i, c in enumerate(rows[0]) if c not in meta.get("drop", [])]
    out = {"train": [], "valid": [], "test": []}
    for number, row in enumerate(rows[1:]):
        out[part[number]].append([row[i] for i in kept])
    return meta, [rows[0][i] for i in kept], out


def coded(name):
    """The set as numbers, target first: categories by their place among those of train (else -1), missing cells empty."""
    meta, header, parts = parts_of(name)
    target = header.index(meta["target"])
    codes = {}
    for column in meta.get("categorical", []):
        place = header.index(column)
        codes[place] = {value: i for i, value in enumerate(sorted({row[place] for row in parts["train"] if row[place] != ""}))}
    if meta["task"] == "binary":
        label = {meta["positive"]: 1}
    else:
        label = {value: i for i, value in enumerate(sorted({row[target] for rows in parts.values() for row in rows}))}

    def numbers(row):
        y = float(row[target]) if meta["task"] == "regression" else label.get(row[target], 0)
        return [y] + [codes[i].get(cell, -1) if i in codes else cell for i, cell in enumerate(row) if i != target]
    return meta, len(label), {part: [numbers(row) for row in rows] for part, rows in parts.items()}


def write_rows(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return path


# Measures

def area(labels, scores):
    order = sorted(range(len(labels)), key=scores.__getitem__)
    ranks, i = 0.0, 0
    while i < len(order):
        j = i
        while j < len(order) and scores[order[j]] == scores[order[i]]:
            j += 1
        ranks += sum(labels[order[k]] for k in range(i, j)) * (i + j + 1) / 2
        i = j
    positives = sum(labels)
    return (ranks - positives * (positives + 1) / 2) / (positives * (len(labels) - positives))


def mean_and_error(values):
    """Mean and its standard error."""
    n = len(values)
    mean = sum(values) / n
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values)) / n


def log_losses(labels, shares):
    return [-math.log(min(max(row[y], 1e-15), 1.0)) for row, y in zip(shares, labels)]


def progress(text):
    print(text, file=sys.stderr, flush=True)
