"""Recorded commands again: blocks of "host$ command", what it printed on both
outputs, its exit status.  `cat NAME` in front of a command has the file's
content in the recording, so the file is made from it.  Usage texts are cut at
"Usage:" on both sides: ours are our own."""
import os
import re
import subprocess

import compare

BLOCK = re.compile(r"^node1\$ (.*?)\n--- stdout\n(.*?)--- stderr\n(.*?)--- exit (\d+)$",
                   re.DOTALL | re.MULTILINE)
COMMAND_S = 20
VERDICT = "Configuration is valid!\n"


def lines_of(text, command):
    text = re.sub(r"^Usage:.*", "<usage>", text, flags=re.DOTALL | re.MULTILINE)
    text = compare.UUID.sub("<uuid>", text)
    text = re.sub(r"(?<=  )[0-9a-f]{8}(?=  )", "<id>", text)
    if "consul keygen" in command:
        text = re.sub(r"^[A-Za-z0-9+/]{43}=$", "<key>", text, flags=re.MULTILINE)
    if "consul info" in command:
        text = re.sub(r"= \d+$", "= <number>", text, flags=re.MULTILINE)
    if "consul snapshot" in command:
        text = re.sub(r"\d+", "<number>", text)
    if "consul kv" in command:
        text = re.sub(r"^((?:Create|Modify)Index  +)\d+$", r"\1<number>", text, flags=re.MULTILINE)
    if "consul watch" in command:
        text = re.sub(r'((?:Create|Modify|Lock)Index": ?|LTime": ?|idx=|CONSUL_INDEX=)\d+',
                      r"\1<number>", text)
    # Columns of addresses are as wide as this node's.
    text = re.sub(r"(127\.[\d.:]+|Address|TaggedAddresses)  +", r"\1  ", text)
    return text.rstrip().split("\n")       # recordings end there


def differ(what, recorded, ours):
    out = [f"{what}: recorded only: {line}" for line in recorded if line not in ours]
    out += [f"{what}: ours only: {line}" for line in ours if line not in recorded]
    if not out and recorded != ours:
        out = [f"{what}: order: {ours}"]
    return out


class Replay:
    def __init__(self, node, table):
        self.node, self.table = node, table
        self.dir = node.dir + "/cli"
        if not os.path.exists(self.dir):
            os.mkdir(self.dir)
            os.symlink(node.bin + "/discoctl", self.dir + "/consul")
            os.symlink(node.dir + "/consul.json", self.dir + "/consul.json")
        self.env = {"PATH": f"{self.dir}:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
                    "CONSUL_HTTP_ADDR": f"{node.address}:{node.ports['http']}"}

    def shell(self, alone):
        """A private address is what an agent looks for when it checks its
        configuration, so that is done on a network that has one."""
        if not alone:
            return ["sh", "-c"]
        new = "-n" if os.geteuid() == 0 else "-rn"
        return ["unshare", new, "sh", "-c", "ip link add v0 type veth peer name v1 && "
                'ip addr add 10.0.0.2/24 dev v0 && ip link set v0 up && ip link set v1 up && '
                'exec sh -c "$1"', "sh"]

    def make_file(self, command, out):
        m = re.match(r"cat ([^\s;]+)(; echo)?", command)
        if m:
            text = out.removesuffix(VERDICT)
            with open(f"{self.dir}/{m[1]}", "w") as f:
                f.write(text[:-1] if m[2] else text)

    def lines_of(self, text, command):
        return lines_of(text, command)

    def differences(self, command, out, err, status):
        alone = "consul validate" in command
        if not alone:
            command, out, err = (compare.localise(t, self.node) for t in (command, out, err))
        self.make_file(command, out)
        p = subprocess.run(self.shell(alone) + [command], cwd=self.dir, env=self.env, text=True,
                           capture_output=True, timeout=COMMAND_S)
        found = differ("stdout", self.lines_of(out, command), self.lines_of(p.stdout, command))
        found += differ("stderr", self.lines_of(err, command), self.lines_of(p.stderr, command))
        return found + compare.compare(int(status), p.returncode, "exit")

    def file(self, path, name):
        with open(path) as f:
            for command, out, err, status in BLOCK.findall(f.read()):
                self.table.report(f"{name}: {command}",
                                  self.differences(command, out, err, status))
