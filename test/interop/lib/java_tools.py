"""Apache Kafka's own command-line tools, unmodified, in one JVM for all tests of a file."""
import base64
import os
import subprocess

import harness

TOOLS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "java", "Tools.java")
CLASSES = None


def main():
    global CLASSES
    CLASSES = harness.ORACLE or harness.need_apache_kafka()
    harness.main()


class ToolsTest(harness.BrokerTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        command = harness.oracle_java(CLASSES, "-Xmx512m", *harness.QUICK_JVM) + [TOOLS]
        cls.tools = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                     preexec_fn=harness.die_with_parent)
        cls.addClassCleanup(cls.tools.wait)
        cls.addClassCleanup(cls.tools.kill)

    def tool(self, main_class, *arguments, stdin="", status=0):
        """What the tool writes to its standard output, or, where it is to fail, to both streams."""
        address = ["--bootstrap-server", self.broker.address]
        fields = [stdin, main_class, *address, *arguments]
        self.tools.stdin.write("\t".join(base64.b64encode(f.encode()).decode() for f in fields) + "\n")
        self.tools.stdin.flush()
        line = self.tools.stdout.readline()
        self.assertTrue(line, "the JVM has ended")
        got, output, errors = line.rstrip("\n").split("\t")
        output, errors = base64.b64decode(output).decode(), base64.b64decode(errors).decode()
        self.assertEqual(str(status), got, " ".join([main_class, *arguments]) + "\n" + output + errors)
        return output if status == 0 else output + errors
