"""Writes the table of configuration rows as C++ (config/rows.h) from the TSV files beside this script.

    generate.py OUTPUT.cc

broker.tsv, topic.tsv, group.tsv and client_metrics.tsv say what a key is, as Apache Kafka 4.3.1 describes it; status.tsv
says what it does here. A key without a row in status.tsv, or a row without a key, ends the build.
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
STATUS = {"works": "kWorks", "no effect yet": "kNoEffectYet", "refuse when set": "kRefuseWhenSet"}
UPDATE = {"read-only": "kReadOnly", "per-broker": "kPerBroker", "cluster-wide": "kClusterWide"}


def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        lines = [line.rstrip("\n").split("\t") for line in file]
    head = lines[0]
    return [dict(zip(head, line + [""] * (len(head) - len(line)))) for line in lines[1:]]


def quoted(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def default_of(row):
    """(C++ expression, required)"""
    text = row["default"]
    if text in ("null", "(required)"):
        return "std::nullopt", text == "(required)"
    return quoted("" if text == "''" else text), False


class Rules:
    """The texts of the column `valid`, as initialisers of config::Rule; lists of words go to arrays of their own."""

    def __init__(self):
        self.arrays = []

    def words(self, text):
        items = [item.strip() for item in text.split(",")]
        name = "kWords%d" % len(self.arrays)
        self.arrays.append("constexpr std::string_view %s[] = {%s};" % (name, ", ".join(map(quoted, items))))
        return name

    def of(self, row):
        text = row["valid"]
        not_empty = text.endswith(", not empty")
        text = text.removesuffix(", not empty")
        fields = [".not_empty = true"] if not_empty else []
        ranged = re.fullmatch(r"\[(-?[\d.]+),\.\.\.(?:,(-?[\d.]+))?\]( or -1)?", text)
        if ranged:
            least, most, minus_one = ranged.groups()
            fields.insert(0, ".kind = Rule::kRange")
            fields.append(".least = %s" % least)
            if most:
                fields.append(".most = %s" % most)
            if minus_one:
                fields.append(".or_minus_one = true")
        elif text.startswith("[partitionId]"):
            fields.insert(0, ".kind = Rule::kThrottledReplicas")
        elif text.startswith("[latest, earliest, by_duration"):
            fields.insert(0, ".kind = Rule::kOffsetReset")
        elif text.startswith("[") or text.startswith("(case insensitive) ["):
            fields.insert(0, ".kind = Rule::kOneOf")
            fields.append(".words = %s" % self.words(text[text.index("[") + 1:-1]))
            if text.startswith("("):
                fields.append(".any_case = true")
        elif text == "non-empty string":
            fields.insert(0, ".kind = Rule::kNotEmptyText")
        elif text not in ("-", "distinct items", "non-null string"):
            sys.exit("%s: the rule %r is not understood" % (row["name"], text))
        order = ["kind", "least", "most", "or_minus_one", "words", "any_case", "not_empty"]
        fields.sort(key=lambda field: order.index(field.split(" ")[0][1:]))
        return "{%s}" % ", ".join(fields)


class Table:
    def __init__(self):
        self.rules = Rules()
        self.synonyms = []

    def synonyms_of(self, row, column):
        text = row.get(column, "-")
        if text in ("-", ""):
            return "{}"
        items = []
        for item in text.split(","):
            key, factor = re.fullmatch(r"([a-z0-9.]+)(?:\(\*(\d+)\))?", item).groups()
            items.append("{%s, %s}" % (quoted(key), factor or "1"))
        name = "kSynonyms%d" % len(self.synonyms)
        self.synonyms.append("constexpr Synonym %s[] = {%s};" % (name, ", ".join(items)))
        return name

    def row(self, row, scope, update_mode, status, synonyms):
        default, required = default_of(row)
        kind = "k" + row["type"].capitalize()
        return ("    {.key = %s, .scope = Scope::%s, .type = Type::%s, .default_value = %s, .required = %s, .rule = %s, "
                ".importance = Importance::k%s, .internal = %s, .update_mode = UpdateMode::%s, .support = Support::%s, "
                ".why_refused = %s, .synonyms = %s},"
                % (quoted(row["name"]), scope, kind, default, "true" if required else "false", self.rules.of(row),
                   row["importance"].capitalize(), "true" if row["internal"] == "yes" else "false", update_mode,
                   STATUS[status["status"]], quoted(status["why refused"]), synonyms))


def main(output):
    table = Table()
    status = {row["key"]: row for row in read("status.tsv")}
    works = {"status": "works", "why refused": ""}
    scopes = []

    broker = read("broker.tsv")
    odd = {row["name"] for row in broker} ^ set(status)
    if odd:
        sys.exit("status.tsv and broker.tsv do not have the same keys: %s" % ", ".join(sorted(odd)))
    scopes.append(("Broker", [table.row(row, "kBroker", UPDATE[row["update_mode"]], status[row["name"]], "{}")
                              for row in sorted(broker, key=lambda row: row["name"])]))
    for scope, file, column in (("Topic", "topic.tsv", "all_server_synonyms"), ("Group", "group.tsv", "broker_default"),
                                ("ClientMetrics", "client_metrics.tsv", None)):
        scopes.append((scope, [table.row(row, "k" + scope, "kClusterWide", works, table.synonyms_of(row, column))
                               for row in sorted(read(file), key=lambda row: row["name"])]))

    lines = ["// Made by src/config/generate.py from the TSV files there. Do not edit.", '#include "config/rows.h"', "",
             "namespace kb::config {", "namespace {", ""]
    lines += table.rules.arrays + table.synonyms
    for scope, rows in scopes:
        lines += ["", "constexpr Row k%sRows[] = {" % scope] + rows + ["};"]
    lines += ["", "}  // namespace", "", "std::span<const Row> RowsOf(Scope scope) {", "  switch (scope) {"]
    lines += ["    case Scope::k%s: return k%sRows;" % (scope, scope) for scope, _ in scopes]
    lines += ["  }", "  KB_CHECK(false);", "}", "", "}  // namespace kb::config", ""]
    os.makedirs(os.path.dirname(output), exist_ok=True)
    with open(output, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


main(sys.argv[1])
