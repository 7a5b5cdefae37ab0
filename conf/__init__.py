"""The config: one file per choice. Installed as `training_hub.conf`."""
