"""From a job to a plan: the job document, the plan, how it is resolved, and what it will cost.

A package of its own between storage and operations, not part of ``core``: a :class:`~napari_s1omni.planning.job.Job`
holds an operation and a :class:`~napari_s1omni.planning.plan.Plan` an engine description, which lie above ``core``.
"""
