"""State shared by the dock and the notebook, without a GUI toolkit: the edited job, its plan, previews and runs."""
