"""What counts as the same answer, and the table of differences we stand by.

Recorded values are turned into this node's before anything is compared; what
differs from run to run (ids, indexes, hashes) is masked on both sides."""
import re

UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
IDENTITY = ("ID", "Node", "Name", "ServiceID", "CheckID")


def localise(text, node):
    """A recorded text as it would read had it been recorded on this node."""
    text = text.replace("127.0.0.1:8500", f"{node.address}:8500")
    if node.names:
        text = re.sub(r"\bserver\d\b", lambda m: node.names.get(m[0], m[0]), text)
    text = re.sub(r"\b10\.0\.0\.[2345]\b", lambda m: node.known.get(m[0], m[0]), text)
    return re.sub(r"\b(8300|8301|8302|8500|8600)\b", r"2\1", text)


def kinds(value):
    """What a value is made of: for what depends on the configuration."""
    if isinstance(value, dict):
        return {k: kinds(v) for k, v in value.items()}
    if isinstance(value, list):
        return "<list>"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "<number>"
    return f"<{type(value).__name__}>"


def mask(value, key=""):
    if key in ("Stats", "DebugConfig"):
        return kinds(value)
    if key == "Coord":          # measured
        return {k: len(v) if isinstance(v, list) else "<number>" for k, v in value.items()}
    if isinstance(value, dict):
        return {k: mask(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [mask(v) for v in value]
    if key == "StableSince":
        return "<time>"
    if key == "LastContact" and isinstance(value, str):
        return re.sub(r"^[\d.]+(ms|µs|s)$", "<duration>", value)
    if isinstance(value, str):
        value = re.sub(r"modify index \d+", "modify index <n>", value)
        return "<hash>" if key == "ContentHash" and value else UUID.sub("<uuid>", value)
    if isinstance(value, bool) or value is None:
        return value
    if key.endswith("Index") or key == "LastTerm":
        return min(value, 1)
    return value if isinstance(value, int) else "<number>"


def identity(value):
    if not isinstance(value, dict):
        return str(value)
    of = value["Node"] if isinstance(value.get("Node"), dict) else value
    inner = value.get("Service") if isinstance(value.get("Service"), dict) else {}
    return "/".join([str(of[k]) for k in IDENTITY if of.get(k)] + [str(inner.get("ID", ""))])


def show(value):
    text = repr(value)
    return text if len(text) < 100 else text[:97] + "..."


def compare(recorded, ours, path="json"):
    """The differences of two masked values, one line each."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        out = []
        for k in sorted({**recorded, **ours}):
            if k not in ours:
                out.append(f"{path}.{k}: recorded only: {show(recorded[k])}")
            elif k not in recorded:
                out.append(f"{path}.{k}: ours only: {show(ours[k])}")
            else:
                out += compare(recorded[k], ours[k], f"{path}.{k}")
        return out
    if isinstance(recorded, list) and isinstance(ours, list):
        a, b = ({identity(v): v for v in x} for x in (recorded, ours))
        if len(a) < len(recorded) or len(b) < len(ours):    # several alike: by place
            a, b = (dict(enumerate(x)) for x in (recorded, ours))
        out = compare(a, b, path) if a and b else []
        if not out and list(a) != list(b):
            out = [f"{path}: order: recorded {show(list(a))}, ours {show(list(b))}"]
        return out
    if recorded == ours and type(recorded) is type(ours):
        return []
    return [f"{path}: recorded {show(recorded)}, ours {show(ours)}"]


class Differences:
    """The table: "NAMES | WHAT | why", with * for any text, in names also
    {a,b} for either."""

    def __init__(self, path):
        self.rows = []
        with open(path) as f:
            for line in f:
                if line.strip() and not line.startswith("#"):
                    names, what, why = line.rstrip("\n").split(" | ")
                    names = re.escape(names).replace(",", "|")
                    names = names.replace(r"\{", "(?:").replace(r"\}", ")")
                    self.rows.append([self.pattern(names), self.pattern(re.escape(what)),
                                      line.strip(), 0])
        self.failed = self.checked = 0

    @staticmethod
    def pattern(escaped):
        return re.compile(escaped.replace(r"\*", ".*"), re.DOTALL)

    def unexpected(self, name, found):
        """Those that no row explains; counts the rows that were of use."""
        out = []
        for what in found:
            rows = [r for r in self.rows if r[0].fullmatch(name) and r[1].fullmatch(what)]
            for row in rows:
                row[3] += 1
            if not rows:
                out.append(what)
        return out

    def report(self, name, found):
        self.checked += 1
        left = self.unexpected(name, found)
        if left:
            self.failed += 1
            print(f"not ok - {name}")
            for what in left:
                print(f"#   {what}")

    def unused(self):
        for row in self.rows:
            if row[3] == 0:
                self.failed += 1
                print(f"not ok - no longer differs: {row[2]}")
