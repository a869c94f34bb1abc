"""MLflow: a run of an experiment, in a database file in the folder or on a tracking server.

Without a `uri` it is FOLDER/mlflow.db: `mlflow ui --backend-store-uri sqlite:///FOLDER/mlflow.db`
shows it, and nothing goes over the network. MLflow's telemetry is off. The run's id is kept in
FOLDER/mlflow.run, so that a run that goes on is not another one.
"""

import logging
import math
import os
import re
from pathlib import Path
from typing import Any

from fedtui.tracking.base import TrackingError, package

EXPERIMENT = "fedtui"
_MAX_TEXT = 500
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
_RUN_ID = re.compile(r"[0-9a-f]{32}")


class MLflow:
    """Logs metrics, the round being their step."""

    def __init__(self, folder: str, uri: str = "") -> None:
        """Nothing is written yet. TrackingError if mlflow-skinny is missing."""
        os.environ.update(_QUIET)  # read when it is imported
        self._folder = Path(folder)
        self._uri = uri or f"sqlite:///{self._folder.resolve()}/mlflow.db"
        tracking = package("mlflow.tracking", "mlflow")
        self._entities = package("mlflow.entities", "mlflow")
        self._failures = package("mlflow.exceptions", "mlflow").MlflowException
        for noisy in ("mlflow", "alembic"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        self._make = tracking.MlflowClient
        self._client: Any = None
        self._run = ""

    def begin(self, name: str, about: dict[str, str]) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._client = self._make(tracking_uri=self._uri)
            self._run = self._former() or self._new(name)
            for key, text in about.items():
                self._client.set_tag(self._run, f"fedtui.{key}"[:_MAX_TEXT], text[:_MAX_TEXT])
        except (OSError, self._failures) as error:
            raise TrackingError(f"mlflow: {_line(error)}") from error

    def round(self, number: int, figures: dict[str, float], at: float) -> None:
        at_ms = round(at * 1000)
        metrics = [
            self._entities.Metric(name, value, at_ms, number)
            for name, value in figures.items()
            if math.isfinite(value)
        ]
        try:
            self._client.log_batch(self._run, metrics=metrics)
        except (OSError, self._failures) as error:
            raise TrackingError(f"mlflow: {_line(error)}") from error

    def end(self) -> None:
        if self._client is not None:
            self._client.set_terminated(self._run)
            self._client = None

    def _former(self) -> str:
        """The run that goes on, if it is still there."""
        note = self._folder / "mlflow.run"
        if not note.is_file():
            return ""
        run = note.read_text(encoding="utf-8", errors="replace")[:64].strip()
        if not _RUN_ID.fullmatch(run):
            return ""
        try:
            self._client.update_run(run, status="RUNNING")
        except self._failures:
            return ""
        return run

    def _new(self, name: str) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        experiment = found.experiment_id if found else self._client.create_experiment(EXPERIMENT)
        run: str = self._client.create_run(experiment, run_name=name[:_MAX_TEXT]).info.run_id
        (self._folder / "mlflow.run").write_text(f"{run}\n", encoding="utf-8")
        return run


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


build = MLflow
