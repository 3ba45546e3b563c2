"""Starts the broker as a process of its own on free ports in a temporary directory, and runs the tests of one file.

The environment variable BROKER names what is tested: the path of a kafka-broker binary (by default that of the release
preset), or oracle:FOLDER, an Apache Kafka whose jars are in FOLDER/libs. Every test that describes Kafka's behaviour
passes against both; that is how we know the test to be true.

A test file ends with `harness.main()`. Exit status 77 means that everything in it was skipped, and the output says why.
"""
import atexit
import ctypes
import fcntl
import glob
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import protocol  # noqa: E402

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
GOLDEN = os.path.join(ROOT, "test", "golden", "vectors")
SKIPPED = 77
START_SECONDS = 60
STOP_SECONDS = 30
# Below the ephemeral range, where a client socket could take the port between our look and the broker's bind.
PORTS = range(10000, 32000)

BROKER = os.environ.get("BROKER", os.path.join(ROOT, "build", "release", "kafka-broker"))
WRAPPER = os.environ.get("BROKER_WRAPPER", "").split()  # for example a debugger's command line
ORACLE = BROKER[len("oracle:"):] if BROKER.startswith("oracle:") else None



def _sanitized():
    if ORACLE or not os.path.exists(BROKER):
        return False
    with open(BROKER, "rb") as binary:
        return b"__asan_init" in binary.read()


# A build with the address sanitizer keeps freed memory back, so that its size says nothing.
SANITIZED = _sanitized()

# ---- ports --------------------------------------------------------------------------------------------------------

_held = []  # lock files of the ports that this process gave out: open until it ends


def _free(port):
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno in (97, 99):  # a machine without IPv6
                continue
            return False
    return True


def free_port():
    """A port that nobody listens on and that no other test process on this machine was given."""
    folder = os.path.join(tempfile.gettempdir(), "kafka-broker-test-ports-%d" % os.getuid())
    os.makedirs(folder, exist_ok=True)
    for _ in range(1000):
        port = random.choice(PORTS)
        lock = open(os.path.join(folder, str(port)), "w", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        if _free(port):
            _held.append(lock)
            return port
        lock.close()
    raise RuntimeError("no free port")


# ---- processes ----------------------------------------------------------------------------------------------------

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent():
    """In a child before exec: a test that is killed leaves no broker behind."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A child whose output is kept line by line, so that a test can wait for a line instead of sleeping."""

    def __init__(self, command, cwd=None, env=None, stdin=subprocess.DEVNULL):
        self.command = command
        self.lines = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(command, cwd=cwd, env=env, stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace", bufsize=1,
                                        preexec_fn=die_with_parent)
        self.pid = self.process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def output(self):
        with self._news:
            return "\n".join(self.lines)

    def wait_for_line(self, pattern, seconds=START_SECONDS):
        """The first line that matches; an error when the process ends or the time is over without one."""
        expression = re.compile(pattern)
        deadline = time.monotonic() + seconds
        seen = 0
        with self._news:
            while True:
                for line in self.lines[seen:]:
                    if expression.search(line):
                        return line
                seen = len(self.lines)
                left = deadline - time.monotonic()
                if left <= 0 or not self._reader.is_alive():
                    raise AssertionError("no line like %r from %s:\n%s" %
                                         (pattern, " ".join(self.command), "\n".join(self.lines[-60:])))
                self._news.wait(min(left, 0.5))

    def wait(self, seconds=STOP_SECONDS):
        """The exit status."""
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        return status

    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        if self.running():
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        self.process.stdout.close()


class Broker:
    """One node that is broker and controller. The same server.properties goes to our broker and to Apache Kafka.

    config: keys to add or change; a value of None leaves the key out. folder: keep using this one (a restart with the
    data of a former Broker); otherwise a temporary one, removed at the end.
    """

    def __init__(self, config=None, folder=None, arguments=(), wrapper=(), env=None, oracle=ORACLE, jvm=()):
        self.oracle, self.jvm = oracle, list(jvm)
        self._own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="kafka-broker-test-")
        self.data = os.path.join(self.folder, "data")
        self.properties = os.path.join(self.folder, "server.properties")
        self.port, self.controller_port = free_port(), free_port()
        self.arguments, self.wrapper, self.env = list(arguments), list(wrapper), env
        self.process = None
        self.config = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": "1@127.0.0.1:%d" % self.controller_port,
            "listeners": "PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d" % (self.port, self.controller_port),
            "advertised.listeners": "PLAINTEXT://127.0.0.1:%d" % self.port,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self.data,
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
        }
        self.config.update(config or {})
        atexit.register(self.close)

    # -- starting

    def write_properties(self):
        with open(self.properties, "w", encoding="utf-8") as out:
            for key, value in self.config.items():
                if value is not None:
                    out.write("%s=%s\n" % (key, value))

    def command(self):
        if self.oracle:
            options = self.jvm or ["-Xmx768m", *QUICK_JVM]
            return self.wrapper + oracle_java(self.oracle, *options) + ["kafka.Kafka", self.properties]
        return self.wrapper + WRAPPER + [BROKER, self.properties] + self.arguments

    def format(self):
        """What Apache Kafka needs before its first start, and our broker does by itself."""
        if self.oracle and not os.path.exists(os.path.join(self.data, "meta.properties")):
            subprocess.run(oracle_java(self.oracle, *QUICK_JVM) + [
                "kafka.tools.StorageTool", "format", "-t", "MMvRdwH_R1O3ixIh1-EdSw", "-c", self.properties],
                           check=True, capture_output=True)

    def start(self):
        self.write_properties()
        self.format()
        self.process = Process(self.command(), cwd=self.folder, env=self.env)
        self.process.wait_for_line("Kafka Server started")
        self._wait_until_served()
        return self

    def _wait_until_served(self):
        """Apache Kafka says it has started before its own registration has reached its metadata."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with self.connect() as connection:
                    if connection.call("Metadata", 12, topics=[])["brokers"]:
                        return
            except (OSError, protocol.NoAnswer):
                if not self.process.running():
                    raise AssertionError("the broker ended:\n" + self.process.output()) from None
            if time.monotonic() > deadline:
                raise AssertionError("the broker does not answer:\n" + self.process.output())
            time.sleep(0.02)

    # -- stopping

    def stop(self):
        """SIGTERM; the broker must end by itself, cleanly."""
        self.process.signal(signal.SIGTERM)
        status = self.process.wait()
        if status != (143 if self.oracle else 0):  # a JVM ends with 128 + SIGTERM
            raise AssertionError("exit status %s after SIGTERM:\n%s" % (status, self.process.output()))
        self.process.end()

    def kill(self):
        self.process.signal(signal.SIGKILL)
        self.process.end()

    def close(self):
        if self.process:
            self.process.end()
            self.process = None
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # -- asking

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def connect(self, timeout=30, port=None):
        return protocol.Connection(port or self.port, timeout=timeout)

    def alive(self):
        """Runs, and answers a new connection."""
        if not self.process.running():
            return False
        with self.connect() as connection:
            return connection.call("ApiVersions", 0)["errorCode"] == 0

    def resident_bytes(self):
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as status:
            return 1024 * int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1))

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.process.pid, encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def create_topic(self, name, partitions=1, **config):
        """Creates it and waits until it is served: Apache Kafka answers earlier."""
        configs = [{"name": key.replace("_", "."), "value": value} for key, value in config.items()]
        with self.connect(timeout=30) as connection:
            answer = connection.call("CreateTopics", 7, timeoutMs=30000, topics=[
                {"name": name, "numPartitions": partitions, "replicationFactor": 1, "configs": configs}])
            topic = answer["topics"][0]
            if topic["errorCode"]:
                raise AssertionError("create %s: error %d %s" % (name, topic["errorCode"], topic.get("errorMessage")))
            self.wait_until_topic_is_served(connection, name, partitions)
            return topic["topicId"]

    def wait_until_topic_is_served(self, connection, name, partitions):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            listed = connection.call("Metadata", 12, topics=[{"name": name}])["topics"][0]
            if listed["errorCode"] == 0 and len(listed["partitions"]) == partitions and \
                    all(p["errorCode"] == 0 and p["leaderId"] >= 0 for p in listed["partitions"]):
                if all(self._serves(connection, name, p["partitionIndex"]) for p in listed["partitions"]):
                    return
            time.sleep(0.02)
        raise AssertionError("topic %s is not served" % name)

    @staticmethod
    def _serves(connection, name, partition):
        answer = connection.call("ListOffsets", 7, replicaId=-1, topics=[
            {"name": name, "partitions": [{"partitionIndex": partition, "timestamp": -1}]}])
        return answer["topics"][0]["partitions"][0]["errorCode"] == 0


QUICK_JVM = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]  # starts soon, runs slowly: right for tests


def oracle_java(folder, *options):
    """The beginning of a command that runs a class of the Apache Kafka in `folder`; its log tells that it has started."""
    config = os.path.join(tempfile.gettempdir(), "kafka-broker-test-log4j2-%d.yaml" % os.getuid())
    text = ("Configuration:\n  Appenders:\n    Console: {name: C, PatternLayout: {pattern: '%d %p %c{1} %m%n'}}\n"
            "  Loggers:\n    Root: {level: warn, AppenderRef: [{ref: C}]}\n"
            "    Logger: [{name: kafka.server.KafkaRaftServer, level: info}]\n")
    if not os.path.exists(config):
        with open(config + ".%d" % os.getpid(), "w", encoding="ascii") as out:
            out.write(text)
        os.rename(config + ".%d" % os.getpid(), config)
    if not glob.glob(os.path.join(folder, "libs", "kafka_2.13-*.jar")):
        raise RuntimeError("no Apache Kafka in %s/libs" % folder)
    return ["java", *options, "-Dlog4j2.configurationFile=" + config,
            "-cp", os.path.join(folder, "libs", "*")]


# ---- running ------------------------------------------------------------------------------------------------------

def skip(reason):
    print("skipped: " + reason)
    sys.exit(SKIPPED)


def need_apache_kafka():
    """The folder with Apache Kafka's jars, or the end of this test as skipped."""
    fetch = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "java", "fetch")
    done = subprocess.run([fetch], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        skip(done.stderr.strip())
    return os.path.dirname(done.stdout.strip())


def need_programs(*names):
    missing = [name for name in names if not shutil.which(name)]
    if missing:
        skip("this machine lacks the program(s) " + ", ".join(missing))


def need_modules(*names):
    missing = []
    for name in names:
        try:
            __import__(name)
        except ImportError:
            missing.append(name)
    if missing:
        skip("this Python (%s) lacks the module(s) %s" % (sys.executable, ", ".join(missing)))


def run(command, seconds=60, stdin=None, check=True, **options):
    """A program to its end; its output. A failure shows all it said."""
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=seconds, preexec_fn=die_with_parent,
                          text=not isinstance(stdin, bytes), **options)
    if check and done.returncode != 0:
        raise AssertionError("%s: exit %d\n%s\n%s" % (" ".join(command), done.returncode, done.stdout, done.stderr))
    return done


ours_only = unittest.skipIf(ORACLE, "says what our broker does where Apache Kafka's way is its own")


class WithLastWords(unittest.TestCase):
    """Where a test fails, what its broker said last is shown."""
    broker = None

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before and self.broker and self.broker.process:
            print("---- the broker's last words ----\n" + "\n".join(self.broker.process.lines[-15:]))


class BrokerTest(WithLastWords):
    """Tests that share one broker. CONFIG: keys for its server.properties; ARGUMENTS: its flags (ours only)."""
    CONFIG = {}
    ARGUMENTS = ()

    @classmethod
    def new_broker(cls):
        return Broker(cls.CONFIG, arguments=cls.ARGUMENTS)

    @classmethod
    def setUpClass(cls):
        cls.broker = cls.new_broker().start()
        cls.addClassCleanup(cls.broker.close)

    def setUp(self):
        if not self.broker.process.running():  # it ended in an earlier test, which has failed for it
            self.broker.process.end()
            self.broker.start()

    def topic(self, partitions=1, **config):
        """A new topic of this test."""
        name = "%s-%d" % (self._testMethodName.lower(), random.getrandbits(24))
        self.broker.create_topic(name, partitions, **config)
        return name


def main():
    if not ORACLE and not os.access(BROKER, os.X_OK):
        print("no broker at " + BROKER)
        sys.exit(1)
    program = unittest.main(module="__main__", exit=False, verbosity=2, warnings="ignore")
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun == 0 or result.testsRun == len(result.skipped):
        for _, reason in result.skipped:
            print("skipped: " + reason)
        sys.exit(SKIPPED)
    sys.exit(0)
