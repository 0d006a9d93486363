"""From the job that a person writes to the plan that runs, with its cost."""
