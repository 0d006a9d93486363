"""Jobs: from options to a job, to a prepared plan, to a result; redoing tiles; batches of images."""
