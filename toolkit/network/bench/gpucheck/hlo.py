"""Reads what XLA made of a program for a GPU: the loops of an optimised HLO module, what each turn launches, and how many
bytes it moves."""

import math
import re
from dataclasses import dataclass, field

SIZES = {"f64": 8, "s64": 8, "u64": 8, "f32": 4, "s32": 4, "u32": 4, "bf16": 2, "f16": 2, "s8": 1, "u8": 1, "pred": 1}
NO_LAUNCH = {"parameter", "get-tuple-element", "tuple", "bitcast", "constant", "after-all"}

ARRAY = re.compile(r"\b(%s)\[([0-9,]*)\]" % "|".join(SIZES))
INSTRUCTION = re.compile(r"^\s*(ROOT )?%(\S+) = (.*)$")


@dataclass
class Instruction:
    name: str
    shape: str
    op: str
    operands: list
    text: str
    root: bool


@dataclass
class Loop:
    """The body of a while loop. A launch, in the order of a turn, is (name, bytes, thread blocks or None)."""

    name: str
    launches: list = field(default_factory=list)
    stacks: set = field(default_factory=set)  # the stacks that it carries from turn to turn, except stacks of one; see stacks()
    copies: list = field(default_factory=list)  # launches that write a whole stack, where each turn should touch one row

    @property
    def bytes(self):
        return sum(b for _, b, _ in self.launches)


def arrays(shape):
    """The arrays of a shape or of a tuple of shapes, as (type, sorted lengths of the axes that are longer than one). Sorted,
    because XLA moves axes about."""
    return [(dtype, tuple(sorted(int(d) for d in dims.split(",") if d not in ("", "1")))) for dtype, dims in ARRAY.findall(shape)]


def size(shape):
    """Bytes of a shape or of a tuple of shapes."""
    return sum(SIZES[dtype] * math.prod(axes) for dtype, axes in arrays(shape))


def stacks(shape):
    """The stacks of images and of kernels, which have four axes each, in the shape that a loop carries."""
    whole = " ".join(f"{dtype}[{dims}]" for dtype, dims in ARRAY.findall(shape) if dims.count(",") == 4 and not dims.startswith("1,"))
    return set(arrays(whole))


def closing(text):
    """The index at which the parenthesis closes with which the text begins."""
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if depth == 0:
            return i
    raise ValueError(text)


class Module:
    def __init__(self, text, thunks=""):
        self.computations, self.entry, self.moved = {}, None, {}
        current = None
        for line in text.splitlines():
            if m := re.match(r"^(ENTRY )?%(\S+) \(.*\) -> .* \{$", line):
                current = self.computations[m[2]] = []
                self.entry = m[2] if m[1] else self.entry
            elif line.startswith("}"):
                current = None
            elif current is not None and (m := INSTRUCTION.match(line)):
                current.append(self.parse(m))
        # Thunks are in the order of the instructions, with the thunks of loops between them.
        self.grids = []
        for line in thunks.splitlines():
            if re.match(r"^\s*\d+: k\w+\s*\[", line):
                m = re.search(r"grid: \[(\d+), (\d+)", line)
                self.grids.append(int(m[1]) * int(m[2]) if m else None)
        self.at, self.loops = 0, []
        self.walk(self.entry, None)
        if self.at != len(self.grids):  # then the thunks do not match the instructions
            for loop in self.loops:
                loop.launches = [(name, b, None) for name, b, _ in loop.launches]

    @staticmethod
    def parse(m):
        text = m[3]
        end = closing(text) + 1 if text.startswith("(") else text.index(" ")
        shape, rest = text[:end], text[end:].strip()
        op = rest.split("(", 1)[0]
        arguments = rest[len(op):]
        return Instruction(m[2], shape, op, re.findall(r"%([\w.\-]+)", arguments[:closing(arguments)]), rest, bool(m[1]))

    def walk(self, computation, loop):
        """Visits instructions in the order of their execution; loop collects what its body launches."""
        shapes = {}
        for i in self.computations[computation]:
            shapes[i.name] = i.shape
            if i.op in NO_LAUNCH:
                continue
            self.at += 1
            if i.op == "while":
                body = Loop(i.name, stacks=stacks(i.shape))
                self.walk(re.search(r"condition=%([\w.\-]+)", i.text)[1], None)
                self.walk(re.search(r"body=%([\w.\-]+)", i.text)[1], body)
                self.loops.append(body)
                continue
            if loop is None:
                continue
            blocks = self.grids[self.at - 1] if self.at <= len(self.grids) else None
            if i.op == "fusion":
                moved, written = self.fusion(re.search(r"calls=%([\w.\-]+)", i.text)[1])
            else:
                moved, written = sum(size(shapes.get(o, "")) for o in i.operands) + size(i.shape), arrays(i.shape)
            loop.launches.append((i.name, moved, blocks))
            if loop.stacks.intersection(written):
                loop.copies.append(i.name)

    def fusion(self, computation):
        """The bytes that a fusion moves, and the arrays that it writes. If it only takes one row from an array, or replaces
        one row in it, only that row counts."""
        if computation in self.moved:
            return self.moved[computation]
        instructions = self.computations[computation]
        by_name = {i.name: i for i in instructions}
        users = {}
        for i in instructions:
            for o in i.operands:
                users.setdefault(o, []).append(i)

        def aliases(name):
            return {name}.union(*(aliases(u.name) for u in users.get(name, []) if u.op == "bitcast"))

        moved = 0
        for p in (i for i in instructions if i.op == "parameter"):
            names, rows, whole = aliases(p.name), 0, False
            for name in names:
                for u in users.get(name, []):
                    if u.op == "dynamic-slice" and u.operands[0] in names:
                        rows += size(u.shape)
                    elif u.op != "bitcast" and not (u.op == "dynamic-update-slice" and u.operands[0] in names):
                        whole = True
            moved += size(p.shape) if whole else rows
        root = next(i for i in instructions if i.root)
        written = []
        for name in root.operands if root.op == "tuple" else [root.name]:
            out = by_name[name]
            while out.op == "bitcast":
                out = by_name[out.operands[0]]
            if out.op == "dynamic-update-slice":
                out = by_name[out.operands[1]]
            moved += size(out.shape)
            written += arrays(out.shape)
        self.moved[computation] = moved, written
        return self.moved[computation]

