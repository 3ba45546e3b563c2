"""Apache Kafka's own command-line tools, unmodified, in one JVM for all tests of a file: a command takes a tenth of a second."""
import base64
import os
import subprocess

import harness

SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "java", "Tools.java")
CLASSES = None


def main():
    global CLASSES
    CLASSES = harness.ORACLE or harness.need_apache_kafka()
    harness.main()


class Tools:
    """classes: what harness.need_apache_kafka() says."""

    def __init__(self, classes):
        command = harness.oracle_java(classes, "-Xmx512m", *harness.QUICK_JVM) + [SOURCE]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                         preexec_fn=harness.die_with_parent)

    def run(self, main_class, *arguments, stdin=""):
        """Exit status, standard output, standard error."""
        fields = [stdin, main_class, *arguments]
        self._process.stdin.write("\t".join(base64.b64encode(f.encode()).decode() for f in fields) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError("the JVM has ended")
        status, output, errors = line.rstrip("\n").split("\t")
        return int(status), base64.b64decode(output).decode(), base64.b64decode(errors).decode()

    def close(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


class ToolsTest(harness.BrokerTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tools = Tools(CLASSES)
        cls.addClassCleanup(cls.tools.close)

    def tool(self, main_class, *arguments, stdin="", status=0):
        """What the tool writes to its standard output, or, where it is to fail, to both streams."""
        got, output, errors = self.tools.run(main_class, "--bootstrap-server", self.broker.address, *arguments, stdin=stdin)
        self.assertEqual(status, got, " ".join([main_class, *arguments]) + "\n" + output + errors)
        return output if status == 0 else output + errors
