"""Runs a command and prints, as JSON, what it took: time, processors, and the most memory that one process had.

Small on purpose, and to be run as `python -I -S` by path: a child's peak begins at its parent's size.
"""

import json
import resource
import subprocess
import sys
import time

began = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode
took = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
cost = {"seconds": took, "processor": used.ru_utime + used.ru_stime, "peak": peak}
print(json.dumps({"code": code, "cost": cost}))
