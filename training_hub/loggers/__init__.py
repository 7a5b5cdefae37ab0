"""Where metrics go, seen from the front."""

# Names that Python callers know from where they choose a logger -> its setting. Setting one chooses the logger.
LOGGER_SETTINGS = {
    "tensorboard_log_dir": "logger.tensorboard.log_dir",
    "wandb_project": "logger.wandb.project",
    "wandb_entity": "logger.wandb.entity",
    "wandb_run_name": "logger.wandb.name",
    "mlflow_tracking_uri": "logger.mlflow.tracking_uri",
    "mlflow_experiment_name": "logger.mlflow.experiment",
    "mlflow_run_name": "logger.mlflow.name",
}
