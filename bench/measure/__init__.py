"""What bench/run does: scenarios by subject, the sides that they run on, and the tables that come out.

  scenario.py   what a scenario says about itself, and what it was asked for
  sides.py      our broker, Apache Kafka, the limit program
  writing.py reading.py starting.py weight.py cleaning.py groups.py topics.py    the scenarios
  rounds.py     the sides by turns
  figures.py    medians, ratios of the same round, met or not: no processes, no files
  machine.py    what was measured on
  output.py     the table on the screen, the dated one, JSON
  command.py    the command line
"""
import os
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.environ.get("BUILD_DIR", os.path.join(ROOT, "build", "release"))
os.environ.setdefault("BROKER", os.path.join(BUILD, "kafka-broker"))
sys.path.insert(0, os.path.join(ROOT, "test", "interop", "lib"))
