"""Numba kernels: pure loops over C-contiguous arrays, arrays in, arrays out, nothing of the package above them.

Callers check shapes and dtypes; a kernel does not, and an index out of range reads foreign memory. Every kernel has a
slow and obvious twin in ``tests/naive.py``.

Machine code is kept on disk beside the source (or in ``NUMBA_CACHE_DIR``). Several processes may compile at once:
Numba writes a cache file under a temporary name and renames it. Tried with six processes started together on an empty
cache, five times: one result, no error, no file left over, 50 s on two cores; with the cache filled 4 s. One process
alone compiles everything in 10 to 20 s, so let one go first: `warming.compile_kernels`.

Parallel kernels split independent outputs only: their results do not depend on the number of threads. Numba's threads
do not survive a fork; start worker processes with ``spawn``. An array that is not C-contiguous works, but has the
kernel compiled once more.
"""
