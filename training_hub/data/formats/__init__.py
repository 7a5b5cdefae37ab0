"""One module for each data format. An option of the config group `format` names the class; see `base.Format`."""
