"""Every scan of a raw data set, reconstructed: on this machine, on a cluster, and again.

``planning`` finds the scans and what is left to do, ``task`` is the work on one of them, ``workers``
and ``dask_workers`` are who does it, ``running`` hands it out, ``status`` writes down how far it
is, and ``whole`` puts these together.
"""
