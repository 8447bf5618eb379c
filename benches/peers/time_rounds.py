"""Times programs in interleaved rounds (A B C ... A B C ...) with the accounting of the operating system.

    time_rounds.py PLAN.json RESULT.json

The plan is {"rounds": N, "before": argv or null, "programs": [{"name", "argv"}]}; one round more is run first and not
counted, and `before` runs, untimed, before each program. The result is {"least_rss", "programs": [{"name", "output",
"failed", "rounds": [{"cpu", "wall", "rss"}]}]}: seconds of user and system time of the program and its children,
seconds by the clock, and the largest resident set in bytes. Where a program prints `kernel_cpu=` and `kernel_wall=`,
because it times a part of itself, those are the seconds. A program that fails once, or takes longer than LIMIT, is not
run again. A child starts as a copy of this process, so no resident set appears smaller than `least_rss`, its own.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time

# Seconds for one run of one program.
LIMIT = 900


def run(argv):
    start = time.perf_counter()
    child = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    limit = threading.Timer(LIMIT, os.killpg, (child.pid, signal.SIGKILL))
    limit.start()
    output = child.stdout.read().decode(errors="replace")
    _, status, usage = os.wait4(child.pid, 0)
    limit.cancel()
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    times = {"cpu": usage.ru_utime + usage.ru_stime, "wall": wall, "rss": usage.ru_maxrss * 1024}
    for word in output.split():
        for name in ("cpu", "wall"):
            if word.startswith(f"kernel_{name}="):
                times[name] = float(word.partition("=")[2])
    return child.returncode, output, times


def main():
    with open(sys.argv[1]) as file:
        plan = json.load(file)
    programs = [dict(p, output="", failed=None, rounds=[]) for p in plan["programs"]]
    for number in range(plan["rounds"] + 1):
        for program in programs:
            if program["failed"] is not None:
                continue
            try:
                if plan.get("before"):
                    run(plan["before"])
                code, program["output"], times = run(program["argv"])
            except OSError as error:
                program["failed"] = str(error)
                continue
            if code != 0:
                program["failed"] = f"exit {code}: {program['output'].strip()[-400:]}"
            elif number > 0:
                program["rounds"].append(times)
            print(f"round {number} {program['name']}: {times['cpu']:.3f} s cpu", file=sys.stderr, flush=True)
    least_rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with open(sys.argv[2], "w") as file:
        json.dump({"least_rss": least_rss, "programs": programs}, file)


if __name__ == "__main__":
    main()
