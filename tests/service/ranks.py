#!/usr/bin/env python3
"""Training jobs of several instances: the same model as of one, through kills of ranks and of the server, stopped and refused.

Usage: ranks.py MILLRACE [CASE...]
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import program  # noqa: E402
from sagemaker_api import SageMakerCase, rows, training  # noqa: E402
import tarfile  # noqa: E402

SETTINGS = {
    "xgboost": {"objective": "binary:logistic", "num_round": "6", "subsample": "0.8", "eval_metric": "logloss,auc"},
    "pca": {"num_components": "2"},
    "kmeans": {"k": "3"},
    "linear-learner": {"predictor_type": "binary_classifier"},
    "random-forest": {"predictor_type": "binary_classifier", "n_estimators": "9"},
    "extra-trees": {"predictor_type": "binary_classifier", "n_estimators": "9"},
}
LONG = {"objective": "binary:logistic", "num_round": "5000", "subsample": "0.8", "max_depth": "8"}
MPIRUN = "mpirun --allow-run-as-root --oversubscribe"


class RanksCase(SageMakerCase):
    options = ("--set", "tasks.ranks_max=4")

    def setUp(self):
        super().setUp()
        for part in range(4):  # beside data.csv of 800 rows
            self.put(f"b/train/part-{part}.csv", rows(301 + 50 * part))

    def job(self, name, algorithm, count, parameters=None, sharded=False, **more):
        job = training(name, **more)
        job["AlgorithmSpecification"]["TrainingImage"] = algorithm
        job["HyperParameters"] = parameters or SETTINGS[algorithm]
        job["ResourceConfig"]["InstanceCount"] = count
        if algorithm in ("pca", "kmeans", "knn"):
            del job["InputDataConfig"][1]
        if sharded:
            job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "ShardedByS3Key"
        self.sm("CreateTrainingJob", **job)

    def model(self, name, status="Completed"):
        job = self.ended("TrainingJob", name)
        self.assertEqual(job["TrainingJobStatus"], status, (job.get("FailureReason"), self.log(name)))
        with tarfile.open(self.home / "objects" / job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://")) as files:
            names = [one for one in files.getnames() if one in ("xgboost-model", "model.bin")]
            return files.extractfile(names[0]).read(), job

    def log(self, name):
        return (self.home / f"logs/TrainingJob/{name}.log").read_text()

    def ranks(self):
        """Processes of ranks of this home, by number."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"rank-worker" in words and str(self.home).encode() in b" ".join(words) and b"--rank" in words \
                    and words[0] == program.MILLRACE.encode():
                found[int(words[words.index(b"--rank") + 1])] = int(entry.name)
        return found


class Models(RanksCase):
    def test_any_number_of_instances_trains_the_same_model(self):
        for algorithm in SETTINGS:
            self.job(f"{algorithm}-1", algorithm, 1)
            model, job = self.model(f"{algorithm}-1")
            metrics = {one["MetricName"]: one["Value"] for one in job["FinalMetricDataList"]}
            for count, sharded in ((2, False), (3, False), (3, True)):
                if sharded and algorithm in ("pca", "kmeans", "linear-learner"):
                    continue  # whose sums are taken in the order of the ranks
                name = f"{algorithm}-{count}-{sharded}"
                self.job(name, algorithm, count, sharded=sharded)
                of_ranks, job = self.model(name)
                self.assertEqual(of_ranks, model, name)
                self.assertEqual({one["MetricName"]: one["Value"] for one in job["FinalMetricDataList"]}, metrics)
                log = self.log(name)
                self.assertIn(f"trains in {count} ranks", log)
                for rank in range(2, count + 1):
                    self.assertIn(f"algo-{rank}: train: ", log)
        self.assertEqual(self.ranks(), {})

    def test_what_is_text_and_what_trains_alone(self):
        self.put("b/texts/data.csv", "y,a\n" + "".join(f"{'no' if i % 3 else 'yes'},{i % 17}\n" for i in range(400)))
        job = training("texts")
        job["InputDataConfig"] = job["InputDataConfig"][:1]
        job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://b/texts/"
        self.sm("CreateTrainingJob", **job)
        job["TrainingJobName"], job["ResourceConfig"]["InstanceCount"] = "texts-2", 2
        self.sm("CreateTrainingJob", **job)
        self.assertEqual(self.model("texts")[0], self.model("texts-2")[0])
        self.job("alone", "knn", 2, {"k": "3", "predictor_type": "classifier", "sample_size": "100", "feature_dim": "2"})
        self.ended("TrainingJob", "alone")
        self.assertIn("InstanceCount is 2, but knn does not train in several", self.log("alone"))
        self.assertIn("nstanceCount", self.error("CreateTrainingJob", "ValidationException",
                                                  **{**training("none"), "ResourceConfig": {"InstanceCount": 0}}))
        self.job("many", "xgboost", 5)
        self.assertIn("at most 4 ranks", self.ended("TrainingJob", "many")["FailureReason"])
        self.put("b/bad/data.csv", rows(500) + "7,1,1\n" + rows(100))
        bad = training("bad")
        bad["InputDataConfig"] = bad["InputDataConfig"][:1]
        bad["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://b/bad/"
        bad["ResourceConfig"]["InstanceCount"] = 2
        self.sm("CreateTrainingJob", **bad)
        reason = self.ended("TrainingJob", "bad")["FailureReason"]
        self.assertIn("row 501", reason)
        bad["TrainingJobName"], bad["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataDistributionType"] = "few", "ShardedByS3Key"
        self.sm("CreateTrainingJob", **bad)
        self.assertIn("only 1 object (", self.ended("TrainingJob", "few")["FailureReason"])


class Kills(RanksCase):
    CHECKPOINTS = {"CheckpointConfig": {"S3Uri": "s3://b/checkpoints"}}

    def begun(self, name, count=2, **more):
        self.job(name, "xgboost", count, LONG, **self.CHECKPOINTS, **more)
        kept = self.home / f"objects/b/checkpoints/{name}/xgboost-checkpoint"
        self.wait_for(lambda: kept.exists() and len(self.ranks()) == count, "a checkpoint", 60)
        return kept

    def alone(self):
        self.job("alone", "xgboost", 1, LONG)
        return self.model("alone")[0]

    def test_a_killed_rank_does_not_change_the_model(self):
        self.begun("t", EnableManagedSpotTraining=True, StoppingCondition={"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200})

        def states():
            return [one["Status"] for one in self.sm("DescribeTrainingJob", TrainingJobName="t")["SecondaryStatusTransitions"]]

        for times, rank in enumerate((1, 0)):
            self.wait_for(lambda: states().count("Interrupted") == times and states()[-1] == "Training", "the training", 30)
            self.wait_for(lambda: len(self.ranks()) == 2, "the ranks", 30)
            before = self.ranks()
            os.kill(before[rank], signal.SIGKILL)
            self.wait_for(lambda: not set(before.values()) & set(self.ranks().values()), "the end of the others", 2)
        model, job = self.model("t")
        self.assertEqual((states().count("Interrupted"), states()[-1]), (2, "Completed"), states())
        self.assertEqual(model, self.alone())
        self.assertIn("interrupted: ", self.log("t"))
        self.assertIn("continuing from s3://b/checkpoints", self.log("t"))

    def test_a_killed_server_leaves_no_ranks(self):
        self.begun("t", 3)
        self.server.kill()
        self.wait_for(lambda: not self.ranks(), "the end of the ranks", 2)
        self.serve()
        model, _ = self.model("t")
        self.assertEqual(model, self.alone())

    def test_a_stopped_job_ends_at_once(self):
        self.begun("t")
        begin = time.monotonic()
        self.sm("StopTrainingJob", TrainingJobName="t")
        self.assertEqual(self.ended("TrainingJob", "t")["TrainingJobStatus"], "Stopped")
        self.assertLess(time.monotonic() - begin, 2)
        self.assertEqual(self.ranks(), {})
        self.begun("paused")
        os.kill(self.ranks()[1], signal.SIGSTOP)  # what does not answer ends as well
        self.sm("StopTrainingJob", TrainingJobName="paused")
        self.assertEqual(self.ended("TrainingJob", "paused")["TrainingJobStatus"], "Stopped")
        self.assertEqual(self.ranks(), {})


class Mpi(RanksCase):
    def setUp(self):
        if not shutil.which("mpirun") or not (Path(program.MILLRACE).resolve().parent / "millrace_mpi.so").exists():
            self.skipTest("mpirun or millrace_mpi.so (-DMILLRACE_MPI=ON) is not there")
        self.options = (*self.options, "--set", "tasks.ranks_launcher=" + MPIRUN)
        super().setUp()

    def test_mpirun_starts_the_ranks(self):
        for algorithm in ("xgboost", "pca", "random-forest"):
            self.job(f"{algorithm}-1", algorithm, 1)
            model, _ = self.model(f"{algorithm}-1")
            for count in (2, 4):
                self.job(f"{algorithm}-{count}", algorithm, count)
                self.assertEqual(self.model(f"{algorithm}-{count}")[0], model)
                self.assertIn(f"algo-{count}: train: ", self.log(f"{algorithm}-{count}"))


if __name__ == "__main__":
    program.main()
