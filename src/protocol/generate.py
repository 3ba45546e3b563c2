#!/usr/bin/env python3
"""Turns the schema files (schema/*/*.kmsg; schema/FORMAT.md describes them) into C++.

    generate.py list KIND SCHEMA_DIR OUT_DIR     prints the files that would be written, for CMake
    generate.py write KIND SCHEMA_DIR OUT_DIR    writes them (a file whose text is unchanged keeps its time)

KIND is one of
    message    NAME.h per schema: the struct and the declarations of its codec; codec_NN.cc: the codec, several messages
               to a file so that the headers are read a dozen times and not 272 times; registry.cc
    json       json_NN.cc, json_table.cc: every message to and from JSON (room message_json)
    show       show.cc: what the broker stores, as the text that people read (room inspect)
    api        api_table.cc: key, name, versions and listeners of every API

What the code looks like: for each struct two functions, Get and Put, that walk over its fields once in wire order. Get reads
from a protocol::Reader. Put is a template over the sink: run through a Measurer it gives EncodedSize, run through a Writer it
gives Encode, so that the two cannot disagree. IsDefault exists for the structs that may be left out when at their default.

Python 3, standard library only.
"""
import os
import re
import sys

NEWEST = 32767
UNITS = 14      # codec_NN.cc files
JSON_UNITS = 6  # json_NN.cc files

# schema type -> (C++ type, Reader/sink word, bytes on the wire)
FIXED = {
    "bool": ("bool", "Bool", 1), "i8": ("int8_t", "Int8", 1), "i16": ("int16_t", "Int16", 2),
    "u16": ("uint16_t", "Uint16", 2), "i32": ("int32_t", "Int32", 4), "u32": ("uint32_t", "Uint32", 4),
    "i64": ("int64_t", "Int64", 8), "f64": ("double", "Float64", 8), "uuid": ("Uuid", "Uuid", 16),
}
ENTITIES = {"topicName": "a topic's name", "brokerId": "a broker's id", "groupId": "a group's id",
            "transactionalId": "a transactional id", "producerId": "a producer id"}


# ---- the schema ---------------------------------------------------------------------------------------------------

class Versions:
    """A range, both ends inclusive."""

    def __init__(self, first, last):
        self.first, self.last = first, last

    def covers(self, other):
        return self.first <= other.first and other.last <= self.last

    def within(self, other):
        return Versions(max(self.first, other.first), min(self.last, other.last))

    def empty(self):
        return self.first > self.last

    def __str__(self):
        return "v%d" % self.first if self.first == self.last else "v%d-%d" % (self.first, self.last)


def parse_range(text, outer):
    if text.endswith("+"):
        return Versions(int(text[:-1]), outer.last)
    first, _, last = text.partition("-")
    return Versions(int(first), int(last or first))


class Field:
    def __init__(self, name, type_word, outer):
        parts = re.fullmatch(r"(\[?)(\w+)\]?(\?([\d+-]*))?", type_word)
        assert parts, "not a type: " + type_word
        self.name = name
        self.is_array, self.type = bool(parts[1]), parts[2]
        self.null_word = parts[4] if parts[3] else None
        self.versions = outer.versions
        self.tag = self.default = self.entity = self.struct = None
        self.ignorable = self.noflex = False

    def set_word(self, word, outer):
        if word[0].isdigit():
            self.versions = parse_range(word, outer.versions)
        elif word[0] == "@":
            self.tag = int(word[1:])
        elif word[0] == "=":
            self.default = word[1:]
        elif word.startswith("entity="):
            self.entity = word[7:]
        elif word in ("ignorable", "noflex"):
            setattr(self, word, True)
        else:
            assert word in ("key", "slice"), "not a flag: " + word

    def finish(self, message):
        """The versions in which it may be null, once its own are known."""
        if self.null_word is None:
            self.nullable = Versions(1, 0)
        else:
            self.nullable = parse_range(self.null_word, message.versions) if self.null_word else self.versions

    @property
    def may_be_null(self):
        return not self.nullable.empty()


class Struct:
    def __init__(self, name, versions):
        self.name, self.versions, self.fields = name, versions, []

    def tagged(self):
        return sorted((f for f in self.fields if f.tag is not None), key=lambda f: f.tag)


class Message(Struct):
    def __init__(self, words, path):
        attributes = dict(word.partition("=")[::2] for word in words[2:])
        super().__init__(words[1], parse_range(attributes["versions"], Versions(0, NEWEST)))
        self.kind, self.path = words[0], path
        self.key = int(attributes["key"]) if "key" in attributes else None
        flexible = attributes["flexible"]
        self.flexible_from = None if flexible == "none" else parse_range(flexible, self.versions).first
        self.listeners = attributes["listeners"].split(",") if "listeners" in attributes else []
        self.unstable = "unstable" in attributes
        self.structs = {}

    @property
    def file(self):
        return snake(self.name)

    @property
    def area(self):
        return os.path.basename(os.path.dirname(self.path))


def parse(path):
    lines = [line.rstrip() for line in open(path, encoding="utf-8") if line.strip() and line.lstrip()[0] != "#"]
    message = Message(lines[0].split(), path)
    open_structs = [(0, message)]  # (indentation of the line that opened it, struct)
    last = None                    # the field on the line before, which a deeper line turns into a struct's opening
    for line in lines[1:]:
        indent, words = len(line) - len(line.lstrip()), line.split()
        if indent == 0:
            assert words[0] == "struct", path + ": " + line
            versions = parse_range(words[2], message.versions) if len(words) > 2 else message.versions
            message.structs[words[1]] = struct = Struct(words[1], versions)
            open_structs = [(0, struct)]
            continue
        if last and indent > last[0] and indent > open_structs[-1][0] + 2:
            message.structs[last[1].type] = struct = Struct(last[1].type, last[1].versions)
            open_structs.append((last[0], struct))
        while indent <= open_structs[-1][0]:
            open_structs.pop()
        outer = open_structs[-1][1]
        assert words[0].endswith(":"), path + ": " + line
        field = Field(words[0][:-1], words[1], outer)
        for word in words[2:]:
            field.set_word(word, outer)
        field.finish(message)
        outer.fields.append(field)
        last = (indent, field)
    resolve(message)
    return message


def resolve(message):
    """Ties fields to their structs and orders the structs so that each comes before the one that uses it."""
    ordered = {}

    def visit(struct):
        for field in struct.fields:
            if field.type in FIXED or field.type in ("string", "bytes", "records"):
                continue
            field.struct = message.structs[field.type]
            if field.type not in ordered:
                visit(field.struct)
                ordered[field.type] = field.struct

    visit(message)
    message.structs = ordered


def load_all(folder):
    paths = [os.path.join(area, name) for area, _, names in os.walk(folder) for name in names if name.endswith(".kmsg")]
    return [parse(path) for path in sorted(paths, key=os.path.basename)]


def snake(name):
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z])([A-Z][a-z])", r"\1_\2", name).lower()


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


# ---- structs ------------------------------------------------------------------------------------------------------

def element_type(field):
    if field.struct:
        return field.type
    if field.type in FIXED:
        return FIXED[field.type][0]
    return {"string": "std::string_view", "bytes": "ByteView", "records": "protocol::Records"}[field.type]


def member_type(field):
    element = element_type(field)
    if field.is_array:
        return "protocol::Array<%s>" % element
    if field.type == "records" or not field.may_be_null:
        return element
    return "protocol::Nullable<%s>" % element if field.struct else "std::optional<%s>" % element


def literal(field):
    """The default of a fixed-size field."""
    value = field.default or ("false" if field.type == "bool" else "0")
    return {"-2147483648": "INT32_MIN", "2147483647": "INT32_MAX", "-9223372036854775808": "INT64_MIN",
            "9223372036854775807": "INT64_MAX"}.get(value, value)


def initializer(field):
    if field.is_array:
        return " = %s::Null()" % member_type(field) if field.default == "null" else ""
    if field.struct:
        return " = nullptr" if field.may_be_null else ""
    if field.type == "records":
        return " = protocol::Records::Null()" if field.default == "null" else ""
    if field.type in FIXED:
        return "" if field.type == "uuid" else " = " + literal(field)
    return "" if field.default == "null" or not field.may_be_null else " = %s()" % element_type(field)


def remark(field, struct):
    words = []
    if not field.versions.covers(struct.versions):
        words.append("%s%s" % (field.versions, "" if field.ignorable or field.tag is not None else ", refused elsewhere"))
    if field.may_be_null:
        words.append("nullable" if field.nullable.covers(field.versions) else "nullable in %s" % field.nullable)
    if field.tag is not None:
        words.append("tag %d" % field.tag)
    if field.entity:
        words.append(ENTITIES[field.entity])
    if field.struct and field.may_be_null and field.default != "null" and not field.is_array:
        words.append("left out on the wire means present with defaults; set it to null otherwise")
    return "  // " + "; ".join(words) if words else ""


def struct_body(struct, message, indent):
    pad = " " * indent
    lines = []
    for field in struct.fields:
        lines.append("%s%s %s%s;%s" % (pad, member_type(field), field.name, initializer(field), remark(field, struct)))
    if message.flexible_from is not None:
        lines.append("%sprotocol::Array<protocol::RawTag> unknown_tags;" % pad)
    return lines


def constants(message):
    lines = ['  static constexpr std::string_view kName = "%s";' % message.name]
    if message.key is not None:
        lines.append("  static constexpr int16_t kKey = %d;" % message.key)
    lines.append("  static constexpr int16_t kMinVersion = %d, kMaxVersion = %d;" %
                 (message.versions.first, message.versions.last))
    if message.flexible_from is None:
        lines.append("  static constexpr int16_t kFlexibleVersion = INT16_MAX;  // none")
    else:
        lines.append("  static constexpr int16_t kFlexibleVersion = %d;" % message.flexible_from)
    return lines


def what_it_is(message):
    key = "" if message.key is None else {
        "request": " of API key %d", "response": " of API key %d", "metadata": " record, type %d, of the metadata log",
        "coordinator-key": " of a coordinator's record, type %d",
        "coordinator-value": " of a coordinator's record, type %d"}.get(message.kind, ", key %d") % message.key
    kind = {"metadata": "the", "coordinator-key": "the key", "coordinator-value": "the value", "data": "data",
            "header": "a header"}.get(message.kind, "the " + message.kind)
    flexible = "never flexible" if message.flexible_from is None else "flexible from v%d" % message.flexible_from
    return "%s: %s%s. %s, %s." % (message.name, kind, key, str(message.versions), flexible)


def header_text(message):
    lines = ["// %s" % what_it_is(message),
             "// Made by protocol/generate.py from %s.kmsg. Plain data: protocol/types.h says what a field may hold and for how long." % message.name,
             "#pragma once", "",
             "#include <cstdint>", "#include <optional>", "#include <string_view>", "",
             '#include "base/result.h"', '#include "protocol/types.h"', "",
             "namespace kb::protocol {", "class Reader;", "class Writer;", "}  // namespace kb::protocol", "",
             "namespace kb::message {", "", "struct %s {" % message.name]
    lines += constants(message)
    for struct in message.structs.values():
        lines += ["", "  struct %s {%s" % (struct.name, "" if struct.versions.covers(message.versions)
                                           else "  // %s" % struct.versions)]
        lines += struct_body(struct, message, 4) + ["  };"]
    lines += [""] + struct_body(message, message, 2) + ["};", ""]
    lines += ["// False: malformed, or a version that the schema does not have. `out` is overwritten, also then. Bytes behind the body",
              "// are left in the reader.",
              "bool Decode(protocol::Reader& reader, int16_t version, Arena& arena, %s& out);" % message.name,
              "// What Encode will write. An error (kInvalid) names a value that this version cannot carry.",
              "Result<size_t> EncodedSize(const %s& message, int16_t version);" % message.name,
              "// Only after EncodedSize has been ok for the same message and version.",
              "void Encode(const %s& message, int16_t version, protocol::Writer& writer);" % message.name, "",
              "}  // namespace kb::message", ""]
    return "\n".join(lines)


# ---- codec --------------------------------------------------------------------------------------------------------

def condition(inner, outer):
    """C++ for "v lies in inner", for a v that is known to lie in outer. None: always."""
    parts = []
    if inner.first > outer.first:
        parts.append("v >= %d" % inner.first)
    if inner.last < outer.last:
        parts.append("v <= %d" % inner.last)
    return " && ".join(parts) if parts else None


def smallest(field, message, flexible):
    """The least bytes that a field takes over all versions of one encoding."""
    if field.is_array or field.type in ("bytes", "records"):
        return 1 if flexible else 4
    if field.type == "string":
        return 1 if flexible and not field.noflex else 2
    if field.struct:
        return 1 if field.may_be_null else smallest_struct(field.struct, message, flexible)
    return FIXED[field.type][2]


def smallest_struct(struct, message, flexible):
    start = message.flexible_from
    if flexible:
        versions = struct.versions.within(Versions(NEWEST if start is None else start, NEWEST))
    else:
        versions = struct.versions.within(Versions(0, NEWEST if start is None else start - 1))
    sizes = [sum(smallest(f, message, flexible) for f in struct.fields
                 if f.tag is None and f.versions.first <= v <= f.versions.last) + (1 if flexible else 0)
             for v in range(versions.first, versions.last + 1)]
    return max(1, min(sizes)) if sizes else 1


def smallest_element(field, message):
    def size(flexible):
        if field.struct:
            return smallest_struct(field.struct, message, flexible)
        if field.type in FIXED:
            return FIXED[field.type][2]
        return (1 if flexible else 2) if field.type == "string" else (1 if flexible else 4)

    versions = field.versions.within(message.versions)
    start = NEWEST if message.flexible_from is None else message.flexible_from
    if versions.first >= start or size(True) == size(False):
        return str(size(True))
    return str(size(False)) if versions.last < start else "flex ? %d : %d" % (size(True), size(False))


class Walk:
    """Writes the functions of one message."""

    def __init__(self, message):
        self.message, self.out = message, []

    def qualified(self, struct):
        return self.message.name if struct is self.message else "%s::%s" % (self.message.name, struct.name)

    def flexible_line(self, struct):
        """How a function of this struct learns whether the version is flexible."""
        start = self.message.flexible_from
        if start is None or struct.versions.last < start:
            return "  [[maybe_unused]] constexpr bool flex = false;"
        if struct.versions.first >= start:
            return "  [[maybe_unused]] constexpr bool flex = true;"
        return "  const bool flex = v >= %d;" % start

    def never_flexible(self, struct):
        return self.message.flexible_from is None or struct.versions.last < self.message.flexible_from

    def always_flexible(self, struct):
        return self.message.flexible_from is not None and struct.versions.first >= self.message.flexible_from

    # -- Get

    def read_value(self, field):
        """An expression that reads one element."""
        flex = "false" if field.noflex else "flex"
        if field.type in FIXED:
            return "r.Read%s()" % FIXED[field.type][1]
        return "r.Read%s(%s)" % ({"string": "String", "bytes": "Bytes", "records": "Records"}[field.type], flex)

    def read_nullable(self, field):
        return self.read_value(field).replace("r.Read", "r.ReadNullable")

    def get_array(self, field, null):
        element = self.qualified(field.struct) if field.struct else element_type(field)
        read = "Get(r, v, a, e)" if field.struct else "e = %s" % self.read_value(field)
        return "m.%s = r.Read%sArray<%s>(flex, %s, a, [&](%s& e) { %s; });" % (
            field.name, "Nullable" if null else "", element, smallest_element(field, self.message), element, read)

    def get_struct(self, field, null):
        if not field.may_be_null:
            fresh = "m.%s = {};\n" % field.name if field.tag is not None else ""  # a tag may come twice; the last one counts
            return fresh + "Get(r, v, a, m.%s);" % field.name
        present = "Get(r, v, a, *(m.%s = a.New<%s>()));" % (field.name, self.qualified(field.struct))
        if not null:
            return present
        absent = "static_cast<int32_t>(r.ReadUvarint()) <= 0" if field.tag is not None else "r.ReadInt8() < 0"
        return "if (%s) {\n m.%s = nullptr;\n } else {\n %s\n }" % (absent, field.name, present)

    def get_one(self, field, null):
        """A statement that reads the field; null: in a version where it may be null."""
        if field.is_array:
            return self.get_array(field, null)
        if field.struct:
            return self.get_struct(field, null)
        return "m.%s = %s;" % (field.name, self.read_nullable(field) if null else self.read_value(field))

    def get_field(self, field, within):
        """Reads a field in any of the versions `within`."""
        nullable = field.nullable.within(within)
        if nullable.empty():
            return self.get_one(field, False)
        test = condition(nullable, within)
        if test is None:
            return self.get_one(field, True)
        return "if (%s) {\n %s\n } else {\n %s\n }" % (test, self.get_one(field, True), self.get_one(field, False))

    def get_tags(self, struct):
        tagged = struct.tagged()
        if not tagged:
            return ["r.ReadUnknownTags(a, m.unknown_tags);"]
        lines = ["m.%s = a.New<%s>();" % (f.name, self.qualified(f.struct)) for f in tagged
                 if f.struct and not f.is_array and f.may_be_null and f.default != "null"]
        lines.append("for (TagSection tags(r, a, m.unknown_tags); tags.Next();) {\nswitch (tags.number()) {")
        flexible = struct.versions.within(Versions(self.message.flexible_from, NEWEST))
        for field in tagged:
            test = condition(field.versions, flexible)
            lines.append("case %d:" % field.tag)
            if test:
                lines.append("if (!(%s)) {\n tags.TooEarly();\n break;\n }" % test)
            lines.append("%s\nbreak;" % self.get_field(field, field.versions.within(flexible)))
        lines.append("default:\ntags.Keep();\n}\n}")
        return lines

    def get(self, struct):
        lines = ["void Get(Reader& r, [[maybe_unused]] int16_t v, [[maybe_unused]] Arena& a, [[maybe_unused]] %s& m) {" %
                 self.qualified(struct), self.flexible_line(struct)]
        for field in struct.fields:
            if field.tag is not None:
                continue
            test = condition(field.versions, struct.versions)
            statement = self.get_field(field, field.versions.within(struct.versions))
            lines.append("if (%s) {\n%s\n}" % (test, statement) if test else statement)
        if self.never_flexible(struct):
            lines.append("}")
            return lines
        tags = self.get_tags(struct)
        lines += tags if self.always_flexible(struct) else ["if (flex) {"] + tags + ["}"]
        lines.append("}")
        return lines

    # -- IsDefault

    def is_default(self, field):
        """A C++ expression."""
        name = "m." + field.name
        if field.is_array:
            return name + ".is_null()" if field.default == "null" else "(!%s.is_null() && %s.empty())" % (name, name)
        if field.struct:
            if not field.may_be_null:
                return "IsDefault(%s)" % name
            return "%s == nullptr" % name if field.default == "null" else "(%s != nullptr && IsDefault(*%s))" % (name, name)
        if field.type in FIXED:
            return {"uuid": "%s.is_zero()" % name}.get(field.type, "%s == %s" % (name, literal(field)))
        if field.type == "records":
            return name + ".is_null" if field.default == "null" else "(!%s.is_null && %s.size() == 0)" % (name, name)
        if not field.may_be_null:
            return name + ".empty()"
        return "!%s.has_value()" % name if field.default == "null" else "(%s.has_value() && %s->empty())" % (name, name)

    def structs_with_default(self):
        """Those whose IsDefault is needed: in a tag, or possibly absent in some version; and what they hold."""
        wanted = set()

        def want(struct):
            if struct.name not in wanted:
                wanted.add(struct.name)
                for field in struct.fields:
                    if field.struct and not field.is_array and not (field.may_be_null and field.default == "null"):
                        want(field.struct)

        for struct in [*self.message.structs.values(), self.message]:
            for field in struct.fields:
                if not field.struct or field.is_array or (field.may_be_null and field.default == "null"):
                    continue
                lacking = not field.versions.covers(struct.versions) and not field.ignorable
                if field.tag is not None or lacking:
                    want(field.struct)
        return wanted

    def default_function(self, struct):
        tests = [self.is_default(field) for field in struct.fields]
        if self.message.flexible_from is not None:
            tests.append("m.unknown_tags.empty()")
        return ["bool IsDefault(const %s& m) {" % self.qualified(struct), "  return %s;" % " && ".join(tests), "}"]

    def each_struct(self, write, defaults="[[maybe_unused]] "):
        """What write makes of each struct, behind its IsDefault where that is needed."""
        wanted = self.structs_with_default()
        lines = []
        for struct in [*self.message.structs.values(), self.message]:
            if struct.name in wanted and struct is not self.message:
                default = self.default_function(struct)
                lines += [defaults + default[0]] + default[1:]
            lines += write(struct)
        return lines

    # -- Put

    def put_value(self, field, name):
        flex = "false" if field.noflex else "flex"
        if field.struct:
            return "Put(s, v, %s);" % name
        if field.type in FIXED:
            return "s.Put%s(%s);" % (FIXED[field.type][1], name)
        return "s.Put%s(%s, %s);" % ({"string": "String", "bytes": "Bytes", "records": "Records"}[field.type], flex, name)

    def is_null(self, field):
        name = "m." + field.name
        if field.is_array:
            return name + ".is_null()"
        if field.type == "records":
            return name + ".is_null"
        return "%s == nullptr" % name if field.struct else "!%s.has_value()" % name

    def refuse_null(self, field, within):
        """Where the member can hold null and some version has none."""
        can_hold = field.may_be_null or field.is_array or field.type == "records"
        nullable = field.nullable.within(within)
        test = None if nullable.empty() else condition(nullable, within)
        if not can_hold or (test is None and not nullable.empty()):
            return []
        guard = self.is_null(field) if test is None else "!(%s) && %s" % (test, self.is_null(field))
        return ['if (%s) s.Refuse("%s is null");' % (guard, field.name)]

    def put_nullable_struct(self, field, within):
        name, nullable = "m." + field.name, field.nullable.within(within)
        mark = ("s.PutUvarint(%s);" if field.tag is not None else "s.PutInt8(%s);")
        null, present = mark % ("0" if field.tag is not None else "-1"), mark % "1"
        test = condition(nullable, within)
        if nullable.empty() or test:
            present = "if (%s) %s" % (test, present) if test else ""
            null = "if (%s) %s" % (test, null) if test else ""
        return ["if (%s == nullptr) {" % name, null, "} else {", present, "Put(s, v, *%s);" % name, "}"]

    def put_field(self, field, within):
        name = "m." + field.name
        lines = self.refuse_null(field, within)
        if field.is_array:
            lines.append("s.PutCount(flex, %s);" % name)
            if field.type in FIXED:
                lines.append("if constexpr (Sink::kMeasures) {\n s.Skip(%s.size() * %d);\n } else {\n for (const auto& e : %s) %s\n }" %
                             (name, FIXED[field.type][2], name, self.put_value(field, "e")))
            else:
                lines.append("for (const auto& e : %s) %s" % (name, self.put_value(field, "e")))
            return lines
        if field.struct and field.may_be_null:
            return lines + self.put_nullable_struct(field, within)
        return lines + [self.put_value(field, name)]

    def put_plain(self, field, struct):
        test = condition(field.versions, struct.versions)
        lines = self.put_field(field, field.versions.within(struct.versions))
        if not test:
            return lines
        lines = ["if (%s) {" % test] + lines
        if field.ignorable:
            return lines + ["}"]
        return lines + ["} else if (!(%s)) {" % self.is_default(field),
                        's.Refuse("%s is set");' % field.name, "}"]

    def put_tags(self, struct):
        tagged = struct.tagged()
        if not tagged:
            return ["s.PutTags(m.unknown_tags);"]
        flexible = struct.versions.within(Versions(self.message.flexible_from, NEWEST))
        lines = ["uint32_t tags = static_cast<uint32_t>(m.unknown_tags.size());"]
        for field in tagged:
            test = condition(field.versions, flexible)
            lines.append("const bool put_%d = %s!(%s);" % (field.tag, test + " && " if test else "", self.is_default(field)))
            if test and not field.ignorable:
                lines.append('if (!put_%d && !(%s)) s.Refuse("%s is set");' % (field.tag, self.is_default(field), field.name))
            lines.append("if (put_%d) ++tags;" % field.tag)
        lines.append("s.PutUvarint(tags);\nconst protocol::RawTag* unknown = m.unknown_tags.begin();")
        for field in tagged:
            lines.append("if (put_%d) {\ns.PutTagsBelow(%d, unknown, m.unknown_tags.end());\ns.PutTag(%d, [&](auto& s) {" %
                         (field.tag, field.tag, field.tag))
            lines += self.put_field(field, field.versions.within(flexible)) + ["});\n}"]
        lines.append("s.PutTagsBelow(protocol::kAllTags, unknown, m.unknown_tags.end());")
        return lines

    def refuse_tagged(self, struct):
        """Tagged fields that are set in a version that is not flexible."""
        return ['if (!(%s)) s.Refuse("%s is set");' % (self.is_default(field), field.name)
                for field in struct.tagged() if not field.ignorable]

    def put(self, struct):
        lines = ["template <typename Sink>",
                 "void Put(Sink& s, [[maybe_unused]] int16_t v, [[maybe_unused]] const %s& m) {" % self.qualified(struct),
                 self.flexible_line(struct).replace("const bool", "[[maybe_unused]] const bool")]
        for field in struct.fields:
            if field.tag is None:
                lines += self.put_plain(field, struct)
        if self.never_flexible(struct):
            return lines + ["}"]
        if self.always_flexible(struct):
            return lines + self.put_tags(struct) + ["}"]
        lines += ["if (flex) {"] + self.put_tags(struct)
        otherwise = self.refuse_tagged(struct)
        return lines + (["} else {"] + otherwise if otherwise else []) + ["}", "}"]

    # -- the public functions

    def doors(self):
        name, versions = self.message.name, "version < %s::kMinVersion || version > %s::kMaxVersion"
        known = (versions % (self.message.name, self.message.name))
        return ["}  // namespace",
                "bool Decode(Reader& reader, int16_t version, Arena& arena, %s& out) {" % name,
                "out = {};",
                "if (%s) reader.Fail();" % known,
                "if (reader.ok()) Get(reader, version, arena, out);",
                "return reader.ok();", "}",
                "Result<size_t> EncodedSize(const %s& message, int16_t version) {" % name,
                "Measurer measurer;",
                'if (%s) measurer.Refuse("no such version");' % known,
                "Put(measurer, version, message);",
                "return measurer.Finish(%s::kName, version);" % name, "}",
                "void Encode(const %s& message, int16_t version, Writer& writer) {" % name,
                "Put(writer, version, message);", "}",
                "namespace {"]

    def functions(self):
        lines = self.each_struct(lambda struct: self.get(struct) + self.put(struct), defaults="")
        return ["", "// ---- %s" % self.message.name, ""] + lines + self.doors()


def indented(lines):
    """Two spaces for each open brace; what a reader of generated code needs and no more."""
    out, depth = [], 0
    for line in "\n".join(lines).split("\n"):
        line = line.strip()
        if line.startswith("namespace") or line.startswith("}  // namespace") or not line:
            out.append(line)
            continue
        if line.startswith("}"):
            depth -= line.count("}") - line.count("{") if line.count("}") > line.count("{") else 1
            out.append("  " * depth + line)
            depth += 1 if line.count("{") == line.count("}") else 0
            continue
        shift = 1 if line.startswith("case ") or line.startswith("default:") else 0
        out.append("  " * (depth - shift if shift else depth) + line)
        depth += line.count("{") - line.count("}")
    return out


def codec_text(messages):
    lines = ["// The codec of several messages. Made by protocol/generate.py; each struct has one walk for reading and one for",
             "// measuring and writing.", ""]
    lines += ['#include "message/%s.h"' % m.file for m in messages]
    lines += ['#include "protocol/reader.h"', '#include "protocol/writer.h"', "",
              "namespace kb::message {", "", "using protocol::Measurer;", "using protocol::Reader;",
              "using protocol::TagSection;", "using protocol::Writer;", "", "namespace {"]
    for message in messages:
        lines += indented(Walk(message).functions())
    return "\n".join(lines + ["}  // namespace", "", "}  // namespace kb::message", ""])


def batches(messages, count):
    """Messages dealt into `count` groups of about the same number of fields."""
    def weight(message):
        return 3 + sum(2 + len(s.fields) for s in [message, *message.structs.values()])

    groups = [[0, []] for _ in range(count)]
    for message in sorted(messages, key=lambda m: (-weight(m), m.name)):
        group = min(groups, key=lambda g: g[0])
        group[0] += weight(message)
        group[1].append(message)
    return [sorted(group[1], key=lambda m: m.name) for group in groups]


# ---- the registry -------------------------------------------------------------------------------------------------

REGISTRY_HEADER = """// Every message of the schemas, with its type erased. Made by protocol/generate.py. Immutable, any thread.
#pragma once

#include <span>
#include <string_view>

#include "protocol/message_info.h"

namespace kb::message {

// In ascending order of name.
std::span<const protocol::MessageInfo> AllMessages();
// By name, as "FetchRequest". nullptr: none.
const protocol::MessageInfo* FindMessage(std::string_view name);
// By what a stored record or a request says of itself. nullptr: none.
const protocol::MessageInfo* FindMessage(std::string_view area, protocol::MessageKind kind, int16_t key);

}  // namespace kb::message
"""


def registry_text(messages):
    messages = sorted(messages, key=lambda m: m.name)
    lines = ["// Made by protocol/generate.py.", '#include "message/registry.h"', "", "#include <algorithm>", ""]
    lines += ['#include "message/%s.h"' % m.file for m in messages]
    lines += ["", "namespace kb::message {", "namespace {", "", "using protocol::MessageInfoOf;", "using protocol::MessageKind;", "",
              "constexpr protocol::MessageInfo kAll[] = {"]
    for m in messages:
        kind = "".join(word.capitalize() for word in m.kind.split("-"))
        lines.append('    MessageInfoOf<%s>("%s", MessageKind::k%s),' % (m.name, m.area, kind))
    lines += ["};", "", "}  // namespace", "",
              "std::span<const protocol::MessageInfo> AllMessages() { return kAll; }", "",
              "const protocol::MessageInfo* FindMessage(std::string_view name) {",
              "  auto* at = std::find_if(std::begin(kAll), std::end(kAll), [&](const auto& info) { return info.name == name; });",
              "  return at == std::end(kAll) ? nullptr : at;", "}", "",
              "const protocol::MessageInfo* FindMessage(std::string_view area, MessageKind kind, int16_t key) {",
              "  auto* at = std::find_if(std::begin(kAll), std::end(kAll), [&](const auto& info) {",
              "    return info.area == area && info.kind == kind && info.key == key;", "  });",
              "  return at == std::end(kAll) ? nullptr : at;", "}", "", "}  // namespace kb::message", ""]
    return "\n".join(lines)


# ---- JSON ---------------------------------------------------------------------------------------------------------

class JsonWalk(Walk):
    """Writes the JSON functions of one message."""

    def to_value(self, field):
        name = "m." + field.name
        if field.is_array:
            one = "To(e, v)" if field.struct else "Value(e)"
            return "ArrayValue(%s, [&](const auto& e) { return %s; })" % (name, one)
        if field.struct:
            return "%s == nullptr ? Json() : To(*%s, v)" % (name, name) if field.may_be_null else "To(%s, v)" % name
        return "Value(%s)" % name

    def to_json(self, struct):
        lines = ["Json To(const %s& m, [[maybe_unused]] int16_t v) {" % self.qualified(struct), "Json o = Json::object();"]
        for field in struct.fields:
            tests = [condition(field.versions, struct.versions)]
            if field.tag is not None:
                tests.append("!(%s)" % self.is_default(field))
            test = " && ".join(t for t in tests if t)
            lines.append('%sSet(o, "%s", %s);' % ("if (%s) " % test if test else "", camel(field.name), self.to_value(field)))
        if not self.never_flexible(struct):
            lines.append("SetUnknown(o, m.unknown_tags);")
        return lines + ["return o;", "}"]

    def from_value(self, field):
        name, key = "m." + field.name, camel(field.name)
        if field.is_array:
            if not field.struct:
                return ['o.GetArray("%s", %s);' % (key, name)]
            return ['o.GetArray("%s", %s, [&](const Json& j, auto& e) { From(j, v, o.arena(), o.problem(), e); });' % (key, name)]
        if not field.struct:
            return ['o.Get("%s", %s);' % (key, name)]
        if not field.may_be_null:
            return ['From(o.Take("%s"), v, o.arena(), o.problem(), %s);' % (key, name)]
        return ['if (const Json& j = o.Take("%s"); j.is_null()) {' % key, "%s = nullptr;" % name, "} else {",
                "From(j, v, o.arena(), o.problem(), *(%s = o.arena().New<%s>()));" % (name, self.qualified(field.struct)), "}"]

    def from_json(self, struct):
        lines = ["void From(const Json& from, [[maybe_unused]] int16_t v, Arena& a, Problem& p, [[maybe_unused]] %s& m) {" %
                 self.qualified(struct), "ObjectReader o(from, a, p);"]
        for field in struct.fields:
            if field.struct and not field.is_array and field.may_be_null and field.default != "null":
                lines.append("m.%s = a.New<%s>();" % (field.name, self.qualified(field.struct)))
            tests = [condition(field.versions, struct.versions)]
            if field.tag is not None:
                tests.append('o.Has("%s")' % camel(field.name))
            test = " && ".join(t for t in tests if t)
            statement = self.from_value(field)
            lines += ["if (%s) {" % test] + statement + ["}"] if test else statement
        if not self.never_flexible(struct):
            lines.append("o.GetUnknown(m.unknown_tags);")
        return lines + ["o.End();", "}"]

    def functions(self):
        lines = ["", "// ---- %s" % self.message.name, ""] + self.each_struct(lambda struct: self.to_json(struct) + self.from_json(struct))
        name = self.message.name
        return lines + ["}  // namespace", "Json To%s(const void* message, int16_t version) {" % name,
                        "return To(*static_cast<const %s*>(message), version);" % name, "}",
                        "Status From%s(const Json& json, int16_t version, Arena& arena, void* out) {" % name,
                        "Problem problem;", "auto& message = *static_cast<%s*>(out);" % name, "message = {};",
                        "From(json, version, arena, problem, message);", "return problem.status();", "}", "namespace {"]


def json_text(messages):
    lines = ["// Several messages to and from JSON. Made by protocol/generate.py.", ""]
    lines += ['#include "message/%s.h"' % m.file for m in messages]
    lines += ['#include "message_json/fields.h"', "", "namespace kb::message_json {", "", "using namespace kb::message;", ""]
    lines += json_declarations(messages) + ["", "namespace {"]
    for message in messages:
        lines += indented(JsonWalk(message).functions())
    return "\n".join(lines + ["}  // namespace", "", "}  // namespace kb::message_json", ""])


def json_declarations(messages):
    return ["Json To%s(const void* message, int16_t version);\nStatus From%s(const Json& json, int16_t version, Arena& arena, void* out);"
            % (m.name, m.name) for m in messages]


def json_table_text(messages):
    messages = sorted(messages, key=lambda m: m.name)
    lines = ["// Made by protocol/generate.py.", '#include "message_json/fields.h"', "", "namespace kb::message_json {", ""]
    lines += json_declarations(messages) + ["", "namespace {", "", "constexpr Codec kAll[] = {"]
    lines += ['    {"%s", To%s, From%s},' % (m.name, m.name, m.name) for m in messages]
    lines += ["};", "", "}  // namespace", "", "const Codec* FindCodec(std::string_view name) {", "  for (const Codec& codec : kAll) {",
              "    if (codec.name == name) return &codec;", "  }", "  return nullptr;", "}", "", "}  // namespace kb::message_json", ""]
    return "\n".join(lines)


# ---- records as text ----------------------------------------------------------------------------------------------

SHOWN_AREAS = {"metadata", "group", "transaction", "share"}
SHOWN_DATA = {"LeaderChangeMessage", "SnapshotHeaderRecord", "SnapshotFooterRecord", "KRaftVersionRecord", "VotersRecord",
              "ConsumerProtocolSubscription", "ConsumerProtocolAssignment"}


class ShowWalk(Walk):
    """Writes the functions that show one message: fields in the schema's order, tagged ones unless at their default."""

    def value(self, field, name):
        return "Show(%s, v, o);" % name if field.struct else "o.Value(%s);" % name

    def show_field(self, field):
        name = "m." + field.name
        lines = ['o.Name("%s");' % camel(field.name)]
        if field.is_array:
            return lines + ["if (%s.is_null()) {" % name, "o.Null();", "} else {", "o.BeginArray();",
                            "for (const auto& e : %s) %s" % (name, self.value(field, "e")), "o.EndArray();", "}"]
        if field.struct and field.may_be_null:
            return lines + ["if (%s == nullptr) {" % name, "o.Null();", "} else {", self.value(field, "*" + name), "}"]
        return lines + [self.value(field, name)]

    def show(self, struct):
        lines = ["void Show([[maybe_unused]] const %s& m, [[maybe_unused]] int16_t v, JsonText& o) {" % self.qualified(struct), "o.BeginObject();"]
        for field in struct.fields:
            tests = [condition(field.versions, struct.versions)]
            if field.tag is not None:
                tests.append("!(%s)" % self.is_default(field))
            test = " && ".join(t for t in tests if t)
            lines += (["if (%s) {" % test] + self.show_field(field) + ["}"]) if test else self.show_field(field)
        return lines + ["o.EndObject();", "}"]

    def functions(self):
        lines = ["", "// ---- %s" % self.message.name, ""] + self.each_struct(self.show)
        name = self.message.name
        return lines + ["void Show%s(const void* message, int16_t version, JsonText& out) {" % name,
                        "Show(*static_cast<const %s*>(message), version, out);" % name, "}"]


def show_text(messages):
    messages = sorted((m for m in messages if m.area in SHOWN_AREAS or m.name in SHOWN_DATA), key=lambda m: m.name)
    lines = ["// Stored records as text. Made by protocol/generate.py.", '#include "inspect/show.h"', ""]
    lines += ['#include "message/%s.h"' % m.file for m in messages]
    lines += ["", "namespace kb::inspect {", "", "using namespace kb::message;", "", "namespace {"]
    for message in messages:
        lines += indented(ShowWalk(message).functions())
    lines += ["", "constexpr Shower kAll[] = {"]
    lines += ['    {"%s", Show%s},' % (m.name, m.name) for m in messages]
    lines += ["};", "", "}  // namespace", "", "const Shower* FindShower(std::string_view name) {", "  for (const Shower& each : kAll) {",
              "    if (each.name == name) return &each;", "  }", "  return nullptr;", "}", "", "}  // namespace kb::inspect", ""]
    return "\n".join(lines)


# ---- the API table ------------------------------------------------------------------------------------------------

def api_rows(schema_dir):
    lines = open(os.path.join(schema_dir, "apis.tsv"), encoding="utf-8").read().splitlines()
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"))) for line in lines[1:]]


def api_text(schema_dir):
    requests = {m.key: m for m in load_all(schema_dir) if m.kind == "request"}
    lines = ["// Every API of Apache Kafka 4.3.1. Made by protocol/generate.py from the schemas and schema/apis.tsv.", "",
             '#include "protocol/api_key.h"', "", "namespace kb::protocol {", "",
             "const ApiInfo kApiTable[kApiCount] = {"]
    count = 0
    for row in api_rows(schema_dir):
        message = requests.get(int(row["key"]))
        if message is None:
            continue
        count += 1
        flexible = "INT16_MAX" if message.flexible_from is None else str(message.flexible_from)
        lines.append('    {ApiKey::k%s, "%s", %d, %d, %s, %s, %s, %s, %s},' % (
            row["name"], row["name"], message.versions.first, message.versions.last, flexible,
            *("true" if flag else "false" for flag in (message.unstable, "broker" in message.listeners,
                                                       "controller" in message.listeners, row["cluster_action"] == "yes"))))
    lines += ["};", "static_assert(kApiCount == %d);" % count, "", "}  // namespace kb::protocol", ""]
    return "\n".join(lines)


# ---- files --------------------------------------------------------------------------------------------------------

def outputs(kind, schema_dir):
    """{file name: text}"""
    if kind == "api":
        return {"api_table.cc": api_text(schema_dir)}
    messages = load_all(schema_dir)
    if kind == "json":
        files = {"json_%02d.cc" % i: json_text(batch) for i, batch in enumerate(batches(messages, JSON_UNITS))}
        return {**files, "json_table.cc": json_table_text(messages)}
    if kind == "show":
        return {"show.cc": show_text(messages)}
    files = {m.file + ".h": header_text(m) for m in messages}
    files.update({"registry.h": REGISTRY_HEADER, "registry.cc": registry_text(messages)})
    for i, batch in enumerate(batches(messages, UNITS)):
        files["codec_%02d.cc" % i] = codec_text(batch)
    return files


def file_names(kind, schema_dir):
    if kind == "api":
        return ["api_table.cc"]
    if kind == "json":
        return ["json_%02d.cc" % i for i in range(JSON_UNITS)] + ["json_table.cc"]
    if kind == "show":
        return ["show.cc"]
    headers = sorted(snake(name[:-5]) + ".h" for _, _, names in os.walk(schema_dir) for name in names if name.endswith(".kmsg"))
    return headers + ["registry.h", "registry.cc"] + ["codec_%02d.cc" % i for i in range(UNITS)]


def write(path, text):
    if os.path.exists(path) and open(path, encoding="utf-8").read() == text:
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    command, kind, schema_dir, out_dir = sys.argv[1:]
    if command == "list":
        print(";".join(os.path.join(out_dir, name) for name in file_names(kind, schema_dir)), end="")
        return
    os.makedirs(out_dir, exist_ok=True)
    for name, text in outputs(kind, schema_dir).items():
        write(os.path.join(out_dir, name), text)


if __name__ == "__main__":
    main()
