"""What was measured on, without its name and without its paths."""
import glob
import os
import platform
import re
import resource
import subprocess

from measure import BUILD, ROOT


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.machine())
    return "%s, %d cores" % (model, len(os.sched_getaffinity(0)))


def memory():
    with open("/proc/meminfo", encoding="ascii") as info:
        return "%.1f GiB" % (int(re.search(r"MemTotal:\s+(\d+) kB", info.read()).group(1)) / (1 << 20))


def file_system(folder):
    """The type of the one that holds the folder, and its options that could matter."""
    best = ("", "unknown", "")
    folder = os.path.realpath(folder)
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            _, point, kind, options = line.split()[:4]
            if (folder + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best[0]):
                best = (point, kind, options)
    kept = [option for option in best[2].split(",")
            if re.match(r"(noatime|relatime|data|commit|nobarrier|discard|compress)", option)]
    return best[1] + (" (%s)" % ", ".join(kept) if kept else "")


def first_line(*command, cwd=None):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    except OSError:
        return None
    lines = (done.stdout + done.stderr).splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else None


def versions(oracle):
    """Of what took part: {name: version}."""
    found = {"kafka-broker": first_line("git", "describe", "--always", "--dirty", "--exclude=*", cwd=ROOT)}
    cache = os.path.join(BUILD, "CMakeCache.txt")
    if os.path.exists(cache):
        with open(cache, encoding="utf-8") as text:
            compiler = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", text.read(), re.MULTILINE)
        found["compiler"] = first_line(compiler.group(1), "--version") if compiler else None
    if oracle:
        jars = glob.glob(os.path.join(oracle, "libs", "kafka_2.13-*.jar"))
        found["Apache Kafka"] = re.search(r"kafka_2\.13-(.*)\.jar$", jars[0]).group(1) if jars else None
        found["Java"] = first_line("java", "-version")
    return {name: version for name, version in found.items() if version}


def describe(folder, oracle):
    return {"processor": processor(), "memory": memory(), "kernel": "Linux " + re.match(r"[\d.]+", platform.release()).group(),
            "file system": file_system(folder), **versions(oracle)}


class Others:
    """How many processors something else kept busy, from the beginning of a run to the end of all its processes."""

    def __init__(self):
        self._began = self._now()

    @staticmethod
    def _now():
        """(seconds of the clock times the cores, busy seconds, stolen seconds, our own)"""
        with open("/proc/stat", encoding="ascii") as stat:
            fields = [int(field) / os.sysconf("SC_CLK_TCK") for field in stat.readline().split()[1:9]]
        own = sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (resource.RUSAGE_SELF,
                                                                                       resource.RUSAGE_CHILDREN)))
        return sum(fields), sum(fields) - fields[3] - fields[4], fields[7], own

    def busy(self):
        """{what: processors, on average}; the kernel's own threads, which write our pages back, are among the others."""
        every, busy, stolen, own = (now - then for now, then in zip(self._now(), self._began))
        seconds = max(every / (os.cpu_count() or 1), 1e-9)
        return {"others": max(0.0, busy - stolen - own) / seconds, "stolen": stolen / seconds}
