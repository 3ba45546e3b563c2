#!/usr/bin/python3
"""Parser for .kmsg schema files and a small schema-driven reference codec.

As a library:   m = kmsg.load(path); data = kmsg.encode(m, 3, obj); obj = kmsg.decode(m, 3, data)
As a tool:      kmsg.py show FILE VERSION        the wire layout of one version
                kmsg.py decode FILE VERSION HEX  bytes to JSON
                kmsg.py encode FILE VERSION JSON JSON to bytes
The format is described in src/protocol/schema/FORMAT.md.  The object form is the one the golden vectors
use: camelCase keys, bytes/records in base64, uuid in URL-safe base64 without padding,
tagged fields left out when they hold their default.
"""
import base64
import json
import os
import re
import struct
import sys

INF = 32767
PRIMS = {"bool": ">?", "i8": ">b", "i16": ">h", "i32": ">i", "i64": ">q", "u16": ">H",
         "u32": ">I", "f64": ">d", "uuid": "16s"}
ZERO_UUID = "AAAAAAAAAAAAAAAAAAAAAA"


class Field:
    __slots__ = ("name", "json", "type", "array", "versions", "nullable", "tag", "default",
                 "key", "ignorable", "slice", "noflex", "entity", "struct")


class Struct:
    def __init__(self, name, versions):
        self.name, self.versions, self.fields = name, versions, []


class Message(Struct):
    def __init__(self, kind, name, versions):
        super().__init__(name, versions)
        self.kind, self.key, self.flexible, self.listeners, self.unstable = kind, None, None, [], False
        self.structs = {}


def rng(text, outer):
    if text.endswith("+"):
        return (int(text[:-1]), outer[1])
    a, _, b = text.partition("-")
    return (int(a), int(b or a))


def camel(name):
    p = name.split("_")
    return p[0] + "".join(x[:1].upper() + x[1:] for x in p[1:])


def parse(text, where="?"):
    lines = [(n + 1, l) for n, l in enumerate(text.split("\n")) if l.strip() and l.lstrip()[0] != "#"]
    words = lines[0][1].split()
    attr = dict(w.partition("=")[::2] for w in words[2:])
    m = Message(words[0], words[1], rng(attr["versions"], (0, INF)))
    m.key = int(attr["key"]) if "key" in attr else None
    m.flexible = None if attr["flexible"] == "none" else rng(attr["flexible"], m.versions)
    m.listeners = attr.get("listeners", "").split(",") if "listeners" in attr else []
    m.unstable = "unstable" in attr
    stack = [(0, m)]          # (indent of the children's parent, struct)
    last = None
    for n, line in lines[1:]:
        indent = len(line) - len(line.lstrip())
        words = line.split()
        if indent == 0:
            assert words[0] == "struct", "%s:%d: expected 'struct'" % (where, n)
            s = Struct(words[1], rng(words[2], m.versions) if len(words) > 2 else m.versions)
            m.structs[s.name] = s
            stack = [(0, s)]
            continue
        if last is not None and indent > last[0] and indent > stack[-1][0] + 2:
            f = last[1]
            s = Struct(f.type, f.versions)
            m.structs[s.name] = s
            stack.append((last[0], s))
        while indent <= stack[-1][0]:
            stack.pop()
        outer = stack[-1][1]
        f = Field()
        assert words[0].endswith(":"), "%s:%d: expected 'name:'" % (where, n)
        f.name = words[0][:-1]
        f.json = camel(f.name)
        t = re.fullmatch(r"(\[?)(\w+)\]?(\?([\d+-]*))?", words[1])
        f.array, f.type = bool(t[1]), t[2]
        f.versions, f.tag, f.default, f.entity = outer.versions, None, None, None
        f.key = f.ignorable = f.slice = f.noflex = False
        for w in words[2:]:
            if w[0].isdigit():
                f.versions = rng(w, outer.versions)
            elif w[0] == "@":
                f.tag = int(w[1:])
            elif w[0] == "=":
                f.default = w[1:]
            elif w.startswith("entity="):
                f.entity = w[7:]
            else:
                assert w in ("key", "ignorable", "slice", "noflex"), "%s:%d: %s" % (where, n, w)
                setattr(f, w, True)
        f.nullable = None if t[3] is None else rng(t[4], m.versions) if t[4] else f.versions
        outer.fields.append(f)
        last = (indent, f)
    for s in [m] + list(m.structs.values()):
        for f in s.fields:
            f.struct = None if f.type in PRIMS or f.type in ("string", "bytes", "records") \
                else m.structs[f.type]
    return m


def load(path):
    with open(path, encoding="utf-8") as text:
        return parse(text.read(), os.path.basename(path))


def has(r, v):
    return r is not None and r[0] <= v <= r[1]


# ---- values -------------------------------------------------------------------------------

def default(f, v):
    """The default value in object form, nested structs filled in for version v."""
    if f.default == "null":
        return None
    if f.array:
        return []
    if f.struct:
        return {x.json: default(x, v) for x in f.struct.fields if has(x.versions, v) and x.tag is None}
    if f.type == "bool":
        return f.default == "true"
    if f.type == "f64":
        return float(f.default or 0)
    if f.type == "uuid":
        return ZERO_UUID
    if f.type in PRIMS:
        return int(f.default or 0)
    return ""


def is_default(f, val, v):
    """Would a writer leave this tagged field out?"""
    if f.default == "null":
        return val is None
    if val is None:
        return False
    if f.struct and not f.array:
        return all(is_default(x, val[x.json], v) for x in f.struct.fields
                   if has(x.versions, v) and x.json in val) and not val.get("_unknown")
    return val == default(f, v)


def uvarint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def b64d(s, url=False):
    s += "=" * (-len(s) % 4)
    return base64.urlsafe_b64decode(s) if url else base64.b64decode(s, validate=True)


# ---- encoder ------------------------------------------------------------------------------

def enc_len(f_type, n, flex):
    """n is -1 for null."""
    if flex:
        return uvarint(n + 1)
    return struct.pack(">h" if f_type == "string" else ">i", n)


def enc_elem(f, val, v, flex, top):
    if f.struct:
        return enc_struct(top, f.struct, val, v)
    if f.type == "uuid":
        return b64d(val, True)
    if f.type in PRIMS:
        return struct.pack(PRIMS[f.type], val)
    raw = val.encode() if f.type == "string" else b64d(val)
    return enc_len(f.type, len(raw), flex) + raw


def enc_field(f, val, v, flex, top):
    flex = flex and not f.noflex
    if val is None:
        assert has(f.nullable, v), "null in non-nullable " + f.name
        if f.struct and not f.array:
            return b"\x00" if f.tag is not None else b"\xff"
        return enc_len("[]" if f.array else f.type, -1, flex)
    if f.array:
        return enc_len("[]", len(val), flex) + b"".join(enc_elem(f, x, v, flex, top) for x in val)
    pre = b"\x01" if f.struct and has(f.nullable, v) else b""
    return pre + enc_elem(f, val, v, flex, top)


def enc_struct(top, s, obj, v):
    flex = has(top.flexible, v)
    out, tagged = [], {}
    for f in s.fields:
        if not has(f.versions, v):
            continue
        if f.tag is None:
            out.append(enc_field(f, obj[f.json], v, flex, top))
        elif f.json in obj and not is_default(f, obj[f.json], v):
            tagged[f.tag] = enc_field(f, obj[f.json], v, flex, top)
    if flex:
        for t, raw in obj.get("_unknown", {}).items():
            tagged[int(t)] = bytes.fromhex(raw)
        out.append(uvarint(len(tagged)))
        for t in sorted(tagged):
            out.append(uvarint(t) + uvarint(len(tagged[t])) + tagged[t])
    return b"".join(out)


def encode(m, v, obj):
    return enc_struct(m, m, obj, v)


# ---- decoder ------------------------------------------------------------------------------

class Reader:
    def __init__(self, data):
        self.d, self.p = data, 0

    def take(self, n):
        if n < 0 or self.p + n > len(self.d):
            raise ValueError("short buffer: need %d at %d of %d" % (n, self.p, len(self.d)))
        self.p += n
        return self.d[self.p - n:self.p]

    def uvarint(self):
        r = sh = 0
        while True:
            b = self.take(1)[0]
            r |= (b & 127) << sh
            if b < 128:
                return r
            sh += 7
            if sh > 28:
                raise ValueError("varint too long")

    def length(self, f_type, flex):
        if flex:
            return self.uvarint() - 1
        return struct.unpack(">h", self.take(2))[0] if f_type == "string" else struct.unpack(">i", self.take(4))[0]


def dec_elem(r, f, v, flex, top):
    if f.struct:
        return dec_struct(r, top, f.struct, v)
    if f.type == "uuid":
        return base64.urlsafe_b64encode(r.take(16)).decode().rstrip("=")
    if f.type == "bool":
        return r.take(1)[0] != 0
    if f.type in PRIMS:
        return struct.unpack(PRIMS[f.type], r.take(struct.calcsize(PRIMS[f.type])))[0]
    raw = r.take(r.length(f.type, flex))
    return raw.decode() if f.type == "string" else base64.b64encode(raw).decode()


def dec_field(r, f, v, flex, top):
    flex = flex and not f.noflex
    null = has(f.nullable, v)
    if f.struct and not f.array:
        if null:
            mark = r.uvarint() if f.tag is not None else struct.unpack(">b", r.take(1))[0]
            if mark <= 0 and f.tag is not None or mark < 0:
                return None
        return dec_struct(r, top, f.struct, v)
    if f.type in PRIMS and not f.array:
        return dec_elem(r, f, v, flex, top)
    n = r.length("[]" if f.array else f.type, flex)
    if n < 0:
        if not null:
            raise ValueError("null in non-nullable " + f.name)
        return None
    if f.array:
        if n > len(r.d) - r.p:
            raise ValueError("array longer than the buffer: " + f.name)
        return [dec_elem(r, f, v, flex, top) for _ in range(n)]
    raw = r.take(n)
    return raw.decode(errors="replace") if f.type == "string" else base64.b64encode(raw).decode()


def dec_struct(r, top, s, v):
    flex = has(top.flexible, v)
    obj = {}
    for f in s.fields:
        if has(f.versions, v) and f.tag is None:
            obj[f.json] = dec_field(r, f, v, flex, top)
    if flex:
        tags = {f.tag: f for f in s.fields if f.tag is not None and has(f.versions, v)}
        for _ in range(r.uvarint()):
            tag, size = r.uvarint(), r.uvarint()
            end = r.p + size
            if tag in tags:
                obj[tags[tag].json] = dec_field(r, tags[tag], v, flex, top)
                if r.p != end:
                    raise ValueError("tag %d: size %d, used %d" % (tag, size, r.p - end + size))
            else:
                obj.setdefault("_unknown", {})[str(tag)] = r.take(size).hex()
    return obj


def decode(m, v, data):
    r = Reader(data)
    obj = dec_struct(r, m, m, v)
    if r.p != len(data):
        raise ValueError("%d bytes left over" % (len(data) - r.p))
    return obj


def layout(m, v, s=None, depth=0):
    s = s or m
    for f in s.fields:
        if has(f.versions, v):
            flex = has(m.flexible, v) and not f.noflex
            t = "[%s]" % f.type if f.array else f.type
            c = "compact " if flex and (f.array or f.type in ("string", "bytes", "records")) else ""
            print("  " * depth + "%s: %s%s%s%s" % (f.name, c, t, "?" if has(f.nullable, v) else "",
                                                   "" if f.tag is None else "  tag %d" % f.tag))
            if f.struct:
                layout(m, v, f.struct, depth + 1)
    if has(m.flexible, v):
        print("  " * depth + "(tag section)")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    msg, ver = load(sys.argv[2]), int(sys.argv[3])
    if sys.argv[1] == "show":
        layout(msg, ver)
    elif sys.argv[1] == "decode":
        print(json.dumps(decode(msg, ver, bytes.fromhex(sys.argv[4])), indent=1, ensure_ascii=False))
    elif sys.argv[1] == "encode":
        print(encode(msg, ver, json.loads(sys.argv[4])).hex())
