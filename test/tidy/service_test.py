#!/usr/bin/python3
"""The service as it is installed, started for real by a systemd of its own: sandbox, readiness, restart after a crash, stop.

usage: service_test.py CMAKE BUILD_DIR [--inside]

A container (systemd-nspawn) boots systemd on a throw-away copy of this machine's root; the copy is an overlay in memory, the
network is private. Inside, this file runs once more, as a unit of its own, and asks the service.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop", "lib"))
SKIPPED = 77
PORT = 9092
UNIT = "kafka-broker.service"
LAST_WORD = "a wrong configuration ends it for good, with status 78\n"

CHECK_UNIT = """[Unit]
Wants={unit}
After={unit}
[Service]
Type=oneshot
ExecStart={python} -u {me} {cmake} {build} --inside
ExecStopPost=/bin/systemctl exit
StandardOutput=append:{out}/said
StandardError=inherit
Environment=PYTHONDONTWRITEBYTECODE=1
TimeoutStartSec=100
FailureAction=exit
"""


def skip(why):
    print("skipped: " + why)
    sys.exit(SKIPPED)


# ---- outside

def outside(cmake, build):
    for program in ("systemd-nspawn", "unshare"):
        if not shutil.which(program):
            skip("this machine lacks the program " + program)
    if os.getuid() != 0:
        skip("only root can start a container")
    with tempfile.TemporaryDirectory(prefix="kafka-broker-service-") as folder:
        stage, out, lower = (os.path.join(folder, name) for name in ("stage", "out", "lower"))
        for path in (out, lower):
            os.mkdir(path)
        subprocess.run([cmake, "--install", build], check=True, capture_output=True, env={**os.environ, "DESTDIR": stage})
        if not boots(lower):
            skip("systemd does not boot in a container here")
        check = os.path.join(folder, "check.service")
        with open(check, "w", encoding="utf-8") as unit:
            unit.write(CHECK_UNIT.format(unit=UNIT, python=sys.executable, me=os.path.realpath(__file__), cmake=cmake,
                                         build=build, out="/run/check"))
        binds = ["--bind-ro=" + os.path.realpath(os.path.join(HERE, "..", "..")),
                 "--bind-ro=%s:/etc/systemd/system/check.service" % check, "--bind=%s:/run/check" % out]
        for path, _, files in os.walk(stage):
            binds += ["--bind-ro=%s:%s" % (os.path.join(path, name), os.path.join(path, name)[len(stage):])
                      for name in files]
        done = nspawn(lower, binds + ["--boot", "--console=pipe", "systemd.unit=check.service", "systemd.show_status=0"], 110)
        said = ""
        if os.path.exists(os.path.join(out, "said")):
            with open(os.path.join(out, "said"), encoding="utf-8") as text:
                said = text.read()
        print(said)
        if not said.endswith(LAST_WORD):
            print(done.stdout[-3000:])
            return 1
        return 0


def boots(lower):
    """Whether a container can be had here at all: one that does nothing."""
    return nspawn(lower, ["/bin/true"], 30).returncode == 0


def nspawn(lower, arguments, seconds):
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", 'mount --bind / "$0" && exec "$@"', lower,
               "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--volatile=overlay", "--directory=" + lower,
               "--private-network", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=seconds, check=False, errors="replace",
                          env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})


# ---- inside

def show(name):
    return subprocess.run(["systemctl", "show", "--value", "-p", name, UNIT], capture_output=True, text=True,
                          check=True).stdout.strip()


def systemctl(*arguments):
    subprocess.run(["systemctl", *arguments], check=True)


def until(what, condition):
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            subprocess.run(["journalctl", "--no-pager", "-u", UNIT], check=False)
            raise AssertionError(what)
        time.sleep(0.02)


def inside():
    import base64

    import batch
    import protocol

    def produced(value):
        with protocol.Connection(PORT) as connection:
            answer = connection.call("Produce", 9, acks=-1, timeoutMs=30000, topicData=[{"name": "topic", "partitionData": [
                {"index": 0, "records": base64.b64encode(batch.build([(None, value)])).decode()}]}])
        return answer["responses"][0]["partitionResponses"][0]["errorCode"]

    def stored():
        with protocol.Connection(PORT) as connection:
            answer = connection.call("Fetch", 12, maxWaitMs=0, minBytes=0, maxBytes=1 << 20, sessionEpoch=-1, topics=[
                {"topic": "topic", "partitions": [{"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1 << 20}]}])
        return batch.values(base64.b64decode(answer["responses"][0]["partitions"][0]["records"] or ""))

    # Type=notify: we run after READY, so it serves at the first attempt.
    assert show("ActiveState") == "active", show("ActiveState")
    with protocol.Connection(PORT) as connection:
        assert connection.call("ApiVersions", 0)["errorCode"] == 0
        created = connection.call("CreateTopics", 7, timeoutMs=10000, topics=[
            {"name": "topic", "numPartitions": 1, "replicationFactor": 1}])["topics"][0]
        assert created["errorCode"] == 0, created
    assert produced(b"one") == 0

    pid = int(show("MainPID"))
    with open("/proc/%d/status" % pid, encoding="ascii") as text:
        status = dict(line.split(":\t", 1) for line in text.read().splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
    assert int(status["CapEff"], 16) == 0 and int(status["CapBnd"], 16) == 0, status
    owner = os.stat("/var/lib/kafka-broker/meta.properties")
    assert owner.st_uid == int(status["Uid"].split()[0]) != 0, owner
    with open("/proc/%d/limits" % pid, encoding="ascii") as text:
        files = next(line for line in text if line.startswith("Max open files"))
    assert int(files.split()[3]) > 1024, files  # the container may not get as many as the unit asks for
    with open("/proc/%d/cmdline" % pid, encoding="ascii") as text:
        assert "--reactors=0" in text.read().split("\0")
    print("serves as user %s, without capabilities, under a system call filter" % status["Uid"].split()[0])

    os.kill(pid, 9)
    until("started again after a crash", lambda: show("MainPID") not in ("0", str(pid)) and show("ActiveState") == "active")
    assert stored() == [b"one"] and produced(b"two") == 0
    assert show("NRestarts") == "1", show("NRestarts")
    print("started again after kill -9, with what it had acknowledged")

    systemctl("reload", UNIT)
    assert produced(b"three") == 0
    systemctl("stop", UNIT)
    assert (show("ActiveState"), show("Result"), show("ExecMainStatus")) == ("inactive", "success", "0"), (
        show("ActiveState"), show("Result"), show("ExecMainStatus"))
    assert os.path.exists("/var/lib/kafka-broker/.kafka_cleanshutdown")
    systemctl("start", UNIT)
    assert stored() == [b"one", b"two", b"three"]
    print("stopped cleanly, and started again")

    # A wrong configuration is not tried again and again.
    os.makedirs("/run/systemd/system/%s.d" % UNIT)
    with open("/run/systemd/system/%s.d/wrong.conf" % UNIT, "w", encoding="ascii") as drop_in:
        drop_in.write("[Service]\nEnvironment=KAFKA_BROKER_ARGS=\"--override num.partitions=none\"\nEnvironmentFile=\n")
    systemctl("daemon-reload")
    systemctl("stop", UNIT)
    assert subprocess.run(["systemctl", "start", UNIT], check=False, capture_output=True).returncode != 0
    assert (show("ExecMainStatus"), show("ActiveState")) == ("78", "failed"), (show("ExecMainStatus"), show("ActiveState"))
    said = subprocess.run(["journalctl", "--no-pager", "-u", UNIT], capture_output=True, text=True, check=False).stdout
    assert "num.partitions" in said, said
    print(LAST_WORD, end="")
    return 0


if __name__ == "__main__":
    sys.exit(inside() if "--inside" in sys.argv else outside(sys.argv[1], sys.argv[2]))
