"""Plan, isolated workers, store: from committee and images to a run folder.

Nothing is imported here: a worker process imports `engine.worker` before its share of threads is set.
"""
