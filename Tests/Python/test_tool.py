"""The command `weir`: its exit codes, its JSON, its completions, and what the demo suggests."""

import fcntl
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import termios

import pytest

from conftest import BUILD, Authority, Server, free_port, start_weir, started, tool
from waiting import polled


def test_the_suggestions_of_serve_work(demo):
    """What `weir serve --demo` prints to try next."""
    server = Server(
        [BUILD / "weir", "serve", "--demo", "--data", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
    try:
        assert server.first_line.startswith("console on http://127.0.0.1:")
        assert server.process.stdout.readline().startswith("weir serves on 127.0.0.1:")
        commands = []
        while len(commands) < 3:
            line = server.process.stdout.readline()
            if line.startswith("  "):
                commands.append(line.strip())
        commands[2] += " --count 1"
        for command in commands:
            run = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=30)
            assert run.returncode == 0, run.stderr
    finally:
        assert server.stop() == 0


def test_exit_codes(weir):
    assert weir("traffic", "show", "nope", check=False).returncode == 1
    assert weir("traffic", "set", "greeter", "half", check=False).returncode == 64
    assert weir("endpoint", "list", "--admin", "127.0.0.1:1", check=False).returncode == 69
    assert weir("serve", "--data", "nonsense", check=False).returncode == 64
    assert weir("endpoint", "list", "--admin", "nonsense", check=False).returncode == 64
    assert weir("serve", "--loops", "0", check=False).returncode == 64


def test_json_is_json(weir):
    for command in (["backend", "list"], ["endpoint", "list"], ["traffic", "show", "greeter"],
                    ["stats"], ["explain", "/helloworld.Greeter/SayHello"],
                    ["shadow", "set", "greeter", "greeter-v2=0.5"], ["shadow", "list", "greeter"],
                    ["shadow", "compare", "greeter", "--ignore", "x"],
                    ["shadow", "report", "greeter"],
                    ["shadow", "reset", "greeter"],
                    ["endpoint", "create", "e", "--route", "/a.B/", "--backend", "greeter-v1"],
                    ["endpoint", "delete", "e"]):
        assert isinstance(json.loads(weir(*command, "--json").stdout), dict)


def test_completion_scripts_are_made(weir):
    for shell in ("bash", "zsh", "fish"):
        assert "traffic" in weir("--generate-completion-script", shell).stdout


def test_completions_ask_the_server_for_names(weir):
    assert weir("completion", "tcsh", check=False).returncode == 64

    def names(*words):
        """What the script of bash runs."""
        command = [BUILD / "weir", "---completion", *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=30,
            env={"WEIR_ADMIN": weir.server.admin, "SAP_SHELL": "bash"}).stdout.split()

    script = weir("completion", "bash").stdout
    assert "---completion traffic show -- positional@0" in script
    assert "greeter" in names("traffic", "show", "--", "positional@0", "1", "0", "")
    assert "greeter-v1" in names("backend", "show", "--", "positional@0", "1", "0", "")


COMPLETE = """
source <("$WEIR" completion bash)
function=$(complete -p weir | sed 's/.*-F \\([^ ]*\\).*/\\1/')
weir() { "$WEIR" "$@"; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
COMPREPLY=()
"$function" weir "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_the_completions_of_bash_have_commands_names_and_files(weir, tmp_path):
    (tmp_path / "state.yaml").touch()

    def complete(*words):
        return subprocess.run(
            ["bash", "-c", COMPLETE, "bash", "weir", *words], capture_output=True, text=True,
            timeout=60, cwd=tmp_path, check=True,
            env={**os.environ, "WEIR": BUILD / "weir", "WEIR_ADMIN": weir.server.admin},
        ).stdout.split()

    assert complete("traf") == ["traffic"]
    assert complete("traffic", "show", "") == ["greeter"]
    assert "greeter-v1=" in complete("traffic", "set", "greeter", "")
    assert complete("backend", "show", "greeter-v") == ["greeter-v1", "greeter-v2", "greeter-v3"]
    assert complete("backend", "rm", "greeter-v") == ["greeter-v1", "greeter-v2", "greeter-v3"]
    assert complete("endpoint", "rm", "") == complete("call", "") == ["greeter"]
    assert "--json" in complete("endpoint", "ls", "--j")
    assert "state.yaml" in complete("apply", "-f", "sta")


@pytest.mark.parametrize("shell,alias", [
    ("bash", "rm) echo delete"), ("zsh", "rm) words[1]=delete"),
    ("fish", "string replace -r '^rm$' delete")])
def test_the_completions_know_aliases(weir, tmp_path, shell, alias):
    script = weir("completion", shell).stdout
    assert alias in script
    if shutil.which(shell):
        (tmp_path / "weir").write_text(script)
        subprocess.run([shell, "-n", tmp_path / "weir"], check=True, timeout=60)


def test_the_completions_of_bash_in_a_terminal(weir):
    """Bash divides words at ':' and '=', and replaces the last part only."""
    lines = {
        "weir rollout start greeter --to=greeter-v": None,
        "weir rollout start greeter --steps shadow:1%,10% --to greeter-v3 --req": "--require",
        "weir backend show --admin=ADMIN greeter-v3": "greeter-v3",
        "weir backend show --admin ADMIN greeter-v3": "greeter-v3",
        "weir backend show greeter-v3 --admin-tls-c": None,
        "weir rollout start gree": "greeter",
        "weir rollout start --to=greeter-v3 gree": "greeter",
        "weir traffic set greeter greeter-v3": "greeter-v3=",
    }
    main, own = pty.openpty()
    tcsetattr = termios.tcgetattr(own)
    tcsetattr[3] &= ~termios.ECHO
    termios.tcsetattr(own, termios.TCSANOW, tcsetattr)
    fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    environment = {
        **os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "WEIR_ADMIN": weir.server.admin,
        "TERM": "dumb", "PS1": "> ", "HISTFILE": ""}
    shell = started(subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"], stdin=own, stdout=own, stderr=own,
        env=environment, start_new_session=True))
    os.close(own)
    seen = ""

    def send(text, until):
        nonlocal seen
        seen = ""
        os.write(main, text.encode())

        def read():
            nonlocal seen
            if select.select([main], [], [], 0.1)[0]:
                seen += os.read(main, 65_536).decode(errors="replace")
            return seen

        return polled(read, lambda text: until in text, 30)

    try:
        send("bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; "
             "source <(weir completion bash); echo rea''dy\n", "ready")
        for line, last in lines.items():
            line = line.replace("ADMIN", weir.server.admin)
            # The echo shows the words that the completion has made.
            shown = send(f"{line}\t\x01echo '[\x05]'\n", "]\r\n> ")
            words = shown.rsplit("[weir", 1)[1].split("]")[0].strip()
            expected = line.removeprefix("weir ")
            if last:
                expected = expected[:expected.rindex(last[:4])] + last
            assert words.rstrip() == expected, (line, words)
    finally:
        shell.kill()
        shell.wait()
        os.close(main)


def test_version_and_aliases(weir):
    version = weir("version").stdout
    assert version.removeprefix("weir ") == weir("--version").stdout
    for kind in ("backend", "endpoint"):
        assert weir(kind, "ls").stdout == weir(kind, "list").stdout
    weir("endpoint", "create", "short", "--route", "/short.S/", "--backend", "greeter-v1")
    shown = weir("endpoint", "show", "short").stdout
    assert "/short.S/" in shown and "greeter-v1" in shown
    weir("endpoint", "rm", "short")
    assert weir("endpoint", "show", "short", check=False).returncode == 1


def test_misspelled_commands_and_names_are_corrected(weir):
    wrong = weir("trafic", "show", "greeter", check=False)
    assert wrong.returncode == 64 and "Did you mean 'weir traffic'?" in wrong.stderr
    wrong = weir("rollout", "stat", "greeter", check=False)
    assert wrong.returncode == 64 and "Did you mean 'weir rollout status'?" in wrong.stderr
    wrong = weir("traffic", "show", "greter", check=False)
    assert wrong.returncode == 1 and "did you mean 'greeter'?" in wrong.stderr


def test_an_option_with_one_value_is_given_once(weir):
    for line, option in [
        ("rollout start greeter --to greeter-v3 --steps 1% --steps 5%", "--steps"),
        ("apply -f a.yaml -f b.yaml", "-f"), ("apply --file a.yaml -f b.yaml", "-f"),
        ("endpoint list --admin 127.0.0.1:1 --admin=127.0.0.1:2", "--admin"),
    ]:
        wrong = weir(*line.split(), check=False)
        assert wrong.returncode == 64, line
        assert f"'{option}' is given twice; give it once" in wrong.stderr


def test_weights_are_numbers_percentages_or_fractions(weir):
    for weights in (["0.9", "0.1"], ["90%", "10%"], ["2/3", "1/3"], ["99.5%", "0.5%"]):
        weir("traffic", "set", "greeter", *(
            f"greeter-v{number + 1}={weight}" for number, weight in enumerate(weights)))
    for weights, word in ((["0,5", "0,5"], "number"), (["1/0", "1"], "number"),
                          (["90", "10"], "sum"), (["110%", "-10%"], "")):
        wrong = weir("traffic", "set", "greeter", *(
            f"greeter-v{number + 1}={weight}" for number, weight in enumerate(weights)),
            check=False)
        assert wrong.returncode != 0 and word in wrong.stderr


def test_apply_removes_only_with_prune_and_check_reports_drift(weir, tmp_path):
    file = tmp_path / "weir.yaml"
    file.write_text(weir("export").stdout)
    assert weir("apply", "-f", file, "--check").returncode == 0
    weir("endpoint", "create", "other", "--route", "/other.S/", "--backend", "greeter-v1")
    drift = weir("apply", "-f", file, "--check", check=False)
    assert drift.returncode == 2 and "other" in drift.stdout
    planned = weir("apply", "-f", file, "--dry-run")
    assert "other" in planned.stdout and "--prune" in planned.stderr
    rejected = weir("apply", "-f", file, check=False)
    assert rejected.returncode == 1
    assert "endpoint 'other'" in rejected.stderr and "--prune" in rejected.stderr
    assert "other" in weir("endpoint", "list").stdout
    weir("apply", "-f", file, "--prune")
    assert "other" not in weir("endpoint", "list").stdout
    # A change without removals needs no option.
    weir("traffic", "set", "greeter", "greeter-v1=1")
    assert weir("apply", "-f", file).returncode == 0


def test_errors_in_files_have_no_usage_text(weir, tmp_path):
    file = tmp_path / "weir.yaml"
    for text, reason in (("backends: [", "weir.yaml:"), ("bakends: []", "bakends"), ("", "empty")):
        file.write_text(text)
        for command in (["apply", "-f", file], ["rollout", "start", "greeter", "-f", file]):
            wrong = weir(*command, check=False)
            assert wrong.returncode == 64 and "Usage" not in wrong.stderr
            if command[0] == "apply":
                assert reason in wrong.stderr
    missing = weir("apply", "-f", tmp_path / "none.yaml", check=False)
    assert missing.returncode == 64 and "Usage" not in missing.stderr


def test_an_upstream_without_a_server_is_a_warning_and_with_wait_a_failure(weir):
    address = f"127.0.0.1:{free_port()}"
    warned = weir("backend", "create", "later", "--upstream", address)
    assert "warning: backend 'later' exists, but is not ready" in warned.stderr
    failed = weir(
        "backend", "create", "soon", "--upstream", address, "--wait", "1", check=False)
    assert failed.returncode == 1 and "is not ready" in failed.stderr
    moved = weir("backend", "update", "later", "--upstream", f"127.0.0.1:{free_port()}")
    assert "warning:" in moved.stderr
    worker = weir("backend", "create", "w", "--worker", "sh -c 'exit 3'", "--wait", "2",
                  check=False)
    assert worker.returncode == 1
    quiet = weir("backend", "create", "q", "--upstream", address, "--wait", "0")
    assert "warning" not in quiet.stderr
    for name in ("later", "soon", "w", "q"):
        weir("backend", "rm", name)


def test_the_doctor_finds_the_mistakes_of_newcomers(weir, tmp_path):
    fine = weir("doctor", check=False)
    assert fine.returncode == 0, fine.stdout
    assert "admin port" in fine.stdout and "serves" in fine.stdout
    assert "the state is in memory" in fine.stdout
    swapped = weir("doctor", "--admin", weir.server.data, check=False)
    assert swapped.returncode == 2 and "is not an admin port" in swapped.stdout
    nothing = weir("doctor", "--admin", f"127.0.0.1:{free_port()}", check=False)
    assert nothing.returncode == 2 and "Start a server" in nothing.stdout
    wrong = weir("doctor", "--address", weir.server.admin, check=False)
    assert wrong.returncode == 2 and "is the admin port: name the data port" in wrong.stdout
    (tmp_path / "weir.db").touch()
    other = weir("doctor", "--store", f"sqlite:{tmp_path}/weir.db", check=False)
    assert other.returncode == 0 and "the server's state is in memory:, not in" in other.stdout
    for store in ("sqlite:/none/weir.db", f"etcd:http://127.0.0.1:{free_port()}"):
        missing = weir("doctor", "--store", store, check=False)
        assert missing.returncode == 2
        assert any(line.startswith("failure  --store") and store[:20] in line
                   for line in missing.stdout.splitlines())
    weir("backend", "create", "down", "--upstream", f"127.0.0.1:{free_port()}")
    weir("endpoint", "create", "down", "--route", "/down.S/", "--backend", "down")
    found = weir("doctor", check=False)
    assert found.returncode == 2 and "backend down" in found.stdout
    weir("endpoint", "rm", "down")
    weir("backend", "rm", "down")
    certificate = weir("doctor", "--certificate", __file__, check=False)
    assert certificate.returncode == 2 and "PEM" in certificate.stdout


def test_the_doctor_prints_its_findings_as_json(weir):
    fine = weir("doctor", "--json", check=False)
    findings = json.loads(fine.stdout)["findings"]
    assert fine.returncode == 0 and "admin port" in [finding["subject"] for finding in findings]
    wrong = weir("doctor", "--json", "--address", weir.server.admin, check=False)
    failures = [finding for finding in json.loads(wrong.stdout)["findings"]
                if finding["level"] == "failure"]
    assert wrong.returncode == 2 and [one["subject"] for one in failures] == ["data port"]
    assert "name the data port" in failures[0]["text"]


def test_stats_show_deleted_objects_on_request(weir):
    weir("call", "helloworld.Greeter/SayHello")
    weir("endpoint", "rm", "greeter")
    assert "greeter" not in weir("stats").stdout
    rows = json.loads(weir("stats", "--all", "--json").stdout)["backends"]
    assert sum(int(row["requests"]) for row in rows) == 1
    assert all(row["deleted"] and row["endpoint"] == "greeter" for row in rows)
    assert "(deleted)" in weir("stats", "greeter", "--all").stdout
    assert weir("stats", "greeter", check=False).returncode == 1
    assert weir("stats", "--all", "--watch", check=False).returncode == 64
    # A new endpoint of the name counts from zero.
    weir("endpoint", "create", "greeter", "--route", "/helloworld.Greeter/", "--backend",
         "greeter-v1")
    rows = json.loads(weir("stats", "greeter", "--json").stdout)["backends"]
    assert [int(row["requests"]) for row in rows] == [0]
    rows = json.loads(weir("stats", "greeter", "--all", "--json").stdout)["backends"]
    assert sorted((row["deleted"], int(row["requests"])) for row in rows) == [
        (False, 0), (True, 1)]


def test_tls_at_one_side_only_is_named_as_the_cause(tmp_path):
    authority = Authority(tmp_path)
    authority.issue("server", "IP:127.0.0.1")
    server = start_weir(
        "--admin-tls-cert", authority.cert("server"), "--admin-tls-key", authority.key("server"))
    wrong = tool(server, "endpoint", "list", check=False)
    assert wrong.returncode == 69 and "requires TLS" in wrong.stderr
    assert server.stop() == 0
    server = start_weir()
    wrong = tool(server, "endpoint", "list", "--admin-tls-ca", authority.ca, check=False)
    assert wrong.returncode == 69 and "may not use TLS" in wrong.stderr
    assert server.stop() == 0


def test_an_update_that_changes_nothing_says_so_and_makes_no_revision(weir):
    before = json.loads(weir("backend", "show", "greeter-v1", "--json").stdout)
    for values in ([], ["--description", before.get("description", "")]):
        run = weir("backend", "update", "greeter-v1", *values)
        assert "nothing has changed: backend 'greeter-v1' has these values" in run.stderr
    assert json.loads(weir("backend", "show", "greeter-v1", "--json").stdout) == before
    run = weir("backend", "update", "greeter-v1", "--description", "first")
    assert not run.stderr and "first" in run.stdout


def test_rejected_values_are_named_by_their_options(weir):
    run = weir("traffic", "set", "greeter", "greeter-v1=1", "--for", "99999999h", check=False)
    assert run.returncode == 1 and "INVALID_ARGUMENT: --for: " in run.stderr
    assert "revert_after" not in run.stderr
    run = weir("traffic", "set", "greeter", "greeter-v1=1", "--comment", "x" * 5_000, check=False)
    assert run.returncode == 1 and "--comment: " in run.stderr
