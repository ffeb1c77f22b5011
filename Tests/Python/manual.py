"""Writes the generated parts of the manual: the commands of `weir`, its limits, and weir(1).

usage: python Tests/Python/manual.py       as `make manual` does, after a debug build

The commands are those that the tool describes itself. A limit's default and range are those that
the tool states, its description is the doc comment of its property.
"""

import json
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIR = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / ".build" / "debug")) / "weir"
MANUAL = ROOT / "Sources/Weir/Weir.docc"
REFERENCE = MANUAL / "Reference"
# Between these lines of a page is what this program writes.
BEGIN, END = "<!-- begin: written by 'make manual' -->\n", "<!-- end -->\n"

# Options that many commands have, which the page describes once.
SHARED = {
    "requests to the admin port": [
        "admin", "admin-tls", "admin-tls-ca", "admin-tls-cert", "admin-tls-key",
        "admin-tls-server-name", "token-file", "json"],
    "changes": ["dry-run", "expected-revision", "author", "comment"],
    "backends": [
        "upstream", "worker", "replicas", "handler", "file", "max-requests",
        "max-requests-per-replica", "replica-affinity", "no-replica-affinity", "retry",
        "health-interval", "tls-ca", "tls-certificate", "tls-key", "tls-server-name",
        "descriptor-set", "description", "wait"],
}
# Options of every command.
EVERYWHERE = {"help", "version"}


def run(*arguments):
    return subprocess.run(
        [WEIR, *arguments], capture_output=True, text=True, timeout=60, check=False)


def commands():
    """The commands without subcommands, by their names, as the tool describes them."""
    found = {}

    def add(command, prefix):
        name = f"{prefix} {command['commandName']}".strip()
        if "subcommands" in command:
            for subcommand in command["subcommands"]:
                add(subcommand, name)
        elif command["commandName"] != "help":
            found[name] = command

    add(json.loads(run("--experimental-dump-help").stdout)["command"], "")
    return found


def shown(command):
    return [
        argument for argument in command["arguments"]
        if argument["shouldDisplay"] and long_name(argument) not in EVERYWHERE]


def long_name(argument):
    return argument.get("preferredName", {}).get("name")


def cell(text):
    return re.sub(r"([|*<>])", r"\\\1", " ".join(text.split()))


def spelled(argument):
    """How an option or argument is written."""
    value = argument["valueName"].upper()
    if argument["kind"] == "positional":
        name = value
    else:
        names = ", ".join(
            ("-" if name["kind"] == "short" else "--") + name["name"] for name in argument["names"])
        name = names if argument["kind"] == "flag" else f"{names} {value}"
    return name + ("..." if argument["isRepeating"] else "")


def table(arguments):
    """A table of options; a flag and its opposite have one row."""
    spellings = {}
    for argument in arguments:
        name, text = long_name(argument), argument.get("abstract", "")
        if "defaultValue" in argument and argument["kind"] != "flag":
            text += f" Default: {argument['defaultValue']}."
        opposite = name.removeprefix("no-") if name else None
        row = spellings.setdefault(opposite or spelled(argument), ([], text))
        row[0].append(f"`{spelled(argument)}`")
    rows = [f"| {', '.join(names)} | {cell(text)} |\n" for names, text in spellings.values()]
    return "| option | meaning |\n| --- | --- |\n" + "".join(rows) + "\n"


def discussion(text):
    """Lines that are indented are examples."""
    blocks = []
    for line in text.splitlines():
        kind = "code" if line.startswith("  ") else "text"
        if not blocks or blocks[-1][0] != kind:
            blocks.append((kind, []))
        blocks[-1][1].append(line.strip() if kind == "code" else line)
    return "".join(
        ("```\n{}\n```\n\n" if kind == "code" else "{}\n\n").format("\n".join(lines))
        for kind, lines in blocks)


def usage(name, command):
    parts = [name]
    for argument in shown(command):
        if argument["kind"] == "positional":
            part = spelled(argument)
            parts.append(f"[{part}]" if argument["isOptional"] else part)
        elif not argument["isOptional"]:
            parts.append(f"--{long_name(argument)} {argument['valueName'].upper()}")
    return " ".join(parts + ["[OPTION...]"])


def command_pages():
    """The part of the page about commands."""
    found = commands()
    # What the shared options mean, by the first command that has all options of the group.
    shared = {}
    for group, names in SHARED.items():
        shared[group] = next(
            options for command in found.values()
            if len(options := [a for a in shown(command) if long_name(a) in names]) == len(names))
    text = "| command | does |\n| --- | --- |\n"
    text += "".join(f"| `{name}` | {cell(c['abstract'])} |\n" for name, c in found.items()) + "\n"
    for group, options in shared.items():
        text += f"## Options of {group}\n\n" + table(options)
    for name, command in found.items():
        text += f"## {name}\n\n```\n{usage(name, command)}\n```\n\n"
        text += discussion(command.get("discussion", ""))
        options, groups = shown(command), []
        for group, members in shared.items():
            if all(member in options for member in members):
                groups.append(group)
                options = [option for option in options if option not in members]
        if options:
            text += table(options)
        if groups:
            text += f"Also the options of {', and of '.join(groups)}.\n\n"
    return text


def comments():
    """The doc comments of the properties of `Limits`, by name."""
    found = {}
    for path in (ROOT / "Sources").rglob("Limits.swift"):
        for comment, name in re.findall(
                r"((?: +///.*\n)+) +public var (\w+) =", path.read_text()):
            found[name] = " ".join(re.sub(r"^ +/// ?", "", comment, flags=re.MULTILINE).split())
    return found


def properties():
    """The property of each limit, by the limit's name."""
    (path,) = (ROOT / "Sources").rglob("Limits+Named.swift")
    return dict(re.findall(r'\("([a-z0-9-]+)", \\\.(\w+)', path.read_text()))


def limits():
    """Name, default, unit and range of each limit, as the tool states them."""
    for line in run("serve", "--list-limits").stdout.splitlines()[1:]:
        name, default, *unit = line.split()
        refusal = run("serve", "--limit", f"{name}=x").stderr
        least, most = re.search(r"from ([0-9.]+) to ([0-9.]+)", refusal).groups()
        yield name, default, "".join(unit), least, most


def figure(text):
    whole, _, fraction = text.partition(".")
    return f"{int(whole):,}" + (f".{fraction}" if fraction else "")


def limit_table():
    """The table of limits."""
    meanings, names = comments(), properties()
    text = "| limit | default | range | what it bounds, and what happens over it |\n"
    text += "| --- | --- | --- | --- |\n"
    for name, default, unit, least, most in limits():
        unit = f" {unit}" if unit else ""
        # The text is Markdown, where only what is not code needs to be escaped.
        meaning = meanings[names[name]].replace("|", "\\|")
        text += f"| `{name}` | {figure(default)}{unit} | {figure(least)} to {figure(most)} | "
        text += f"{meaning} |\n"
    return text + "\n" + fixed_table()


def fixed_table():
    """The table of bounds that operators cannot set."""
    text = "## Fixed bounds\n\n"
    text += "| bound | value | what it bounds, and what happens over it |\n"
    text += "| --- | --- | --- |\n"
    for file, owner in [("Limits+Fixed.swift", ""), ("ExportLimits.swift", " of the export")]:
        (path,) = (ROOT / "Sources").rglob(file)
        for comment, name, value in re.findall(
                r"((?: +///.*\n)+) +package static let (\w+) = (.*)\n", path.read_text()):
            meaning = " ".join(re.sub(r"^ +/// ?", "", comment, flags=re.MULTILINE).split())
            words = re.sub(r"([A-Z])", r" \1", name.removeprefix("max")).strip().lower()
            text += f"| {words}{owner} | {constant(value)} | {meaning} |\n"
    return text + "\n"


def constant(value):
    """The value of a constant in Swift: a whole number, or a number of seconds."""
    seconds = re.fullmatch(r"Duration\.seconds\((\w+)\)", value)
    if seconds:
        return figure(seconds[1]) + " s"
    assert re.fullmatch(r"[0-9_ ()<-]+", value), value
    return figure(str(eval(value)))


def roff(text):
    """A text for a man page, on one line."""
    text = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def man_options(arguments):
    rows = []
    for argument in arguments:
        text = argument.get("abstract", "")
        if "defaultValue" in argument and argument["kind"] != "flag":
            text += f" Default: {argument['defaultValue']}."
        rows.append(f".TP\n.B {roff(spelled(argument))}\n{roff(text)}\n")
    return "".join(rows)


def man_page():
    """weir(1)."""
    found = commands()
    version = run("--version").stdout.split()[0]
    text = f""".\\" Written by 'make manual'.
.TH WEIR 1 "" "Weir {version}" "User Commands"
.SH NAME
weir \\- serves gRPC, and splits traffic between backends at run time
.SH SYNOPSIS
.B weir
.I command
.RI [ option ...]
.SH DESCRIPTION
Clients in any language call one address. For each request, Weir decides which backend answers, by
weights that an operator changes while it runs, and copies a share of the requests to backends under
test.
.B weir serve
runs the server; the other commands connect to its admin port.
.SH COMMANDS
"""
    for name, command in found.items():
        text += f".SS {roff(usage(name, command))}\n{roff(command['abstract'])}\n"
        for line in command.get("discussion", "").splitlines():
            text += f".RS\n{roff(line)}\n.RE\n" if line.startswith("  ") else f"{roff(line)}\n"
        text += man_options(shown(command))
    page = (REFERENCE / "CLI.md").read_text()
    statuses = re.findall(r"^\| (\d+) \| (.*) \|$", page, re.MULTILINE)
    text += ".SH EXIT STATUS\n"
    text += "".join(f".TP\n.B {code}\n{roff(meaning)}\n" for code, meaning in statuses)
    return text + """.SH FILES
.TP
.I /etc/weir/weir.yaml
The state with which weir.service begins.
.TP
.I /etc/default/weir
More options of weir.service, in WEIR_OPTIONS.
.TP
.I /var/lib/weir/weir.db
The state and the history of weir.service.
.SH SEE ALSO
.BR systemd.service (5)
"""


def pages():
    """What the pages with generated parts must contain, by path."""
    yield ROOT / "deploy/weir.1", man_page()
    for name, part in [("CLI.md", command_pages()), ("Limits.md", limit_table())]:
        path = REFERENCE / name
        before, rest = path.read_text().split(BEGIN)
        yield path, before + BEGIN + "\n" + part + END + rest.split(END)[1]


if __name__ == "__main__":
    for page, content in pages():
        page.write_text(content)
