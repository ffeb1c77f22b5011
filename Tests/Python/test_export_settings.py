"""The settings of the export: files of TLS, options and variables."""

import signal
import subprocess

import grpc
import pytest

from collector import Collector
from conftest import BUILD, SECONDS, start_demo, wait_for
from test_export import call, counts, exporting, running  # noqa: F401


@pytest.mark.parametrize("how", ["file", "SIGHUP"])
def test_the_files_of_tls_are_read_again(
        how, certificates, running, tmp_path):  # noqa: F811
    def read(name):
        return (certificates / name).read_bytes()

    credentials = grpc.ssl_server_credentials(
        [(read("server.key"), read("server.pem"))], read("ca.pem"), True)
    collector = running(Collector, credentials=credentials)
    paths = {name: tmp_path / name for name in ("ca.pem", "client.pem", "client.key")}

    def write(server, name, content):
        paths[name].write_bytes(content)
        paths[name].chmod(0o600)
        if server and how == "SIGHUP":
            server.process.send_signal(signal.SIGHUP)

    for name in paths:
        write(None, name, read(name))
    # An authority that has not issued the collector's certificate.
    write(None, "ca.pem", read("client.pem"))
    server = exporting(
        running, f"https://127.0.0.1:{collector.port}", "--otlp-server-name", "model.internal",
        "--otlp-ca", paths["ca.pem"], "--otlp-cert", paths["client.pem"], "--otlp-key",
        paths["client.key"])
    call(server)
    wait_for(lambda: counts(server).get("up") == 0)
    write(server, "ca.pem", read("ca.pem"))
    wait_for(lambda: counts(server).get("up") == 1)
    # An invalid file is logged, and the previous content stays in use.
    write(server, "client.key", b"no key\n")
    lines = []
    for line in server.process.stderr:
        lines.append(line)
        if "previous TLS files of the export stay in use" in line:
            break
    assert "invalid PEM key in" in lines[-1] and str(paths["client.key"]) in lines[-1]
    before = len(collector.spans())
    call(server, 3)
    wait_for(lambda: len(collector.spans()) == before + 3)


@pytest.mark.parametrize("option", [
    ["--otlp-headers", "a=b"], ["--otlp-timeout", "1"], ["--otlp-compression", "gzip"],
    ["--otlp-ca", "x"], ["--otlp-cert", "x", "--otlp-key", "x"], ["--otlp-server-name", "x"],
    ["--otlp-service-name", "x"], ["--otlp-attributes", "a=b"], ["--otlp-calls"],
    ["--trace-ratio", "0.5"], ["--trace-late", "10"],
], ids=lambda option: option[0])
def test_an_option_without_an_endpoint_is_refused(option):
    done = subprocess.run(
        [BUILD / "weir", "serve", "--demo", "--data", "127.0.0.1:0", "--admin", "127.0.0.1:0",
         *option], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 64
    needed = "requires --otlp or OTEL_EXPORTER_OTLP_ENDPOINT"
    assert any(f"{name} {needed}" in done.stderr for name in option), done.stderr


@pytest.mark.parametrize("attributes,expected", [
    ("service.name=", "service.name: use 1 to 255 bytes"), ("a=,b=c", None),
], ids=["service", "other"])
def test_only_the_name_of_the_service_must_not_be_empty(
        attributes, expected, running):  # noqa: F811
    collector = running(Collector)
    if expected:
        done = subprocess.run(
            [BUILD / "weir", "serve", "--demo", "--data", "127.0.0.1:0", "--admin", "127.0.0.1:0",
             "--otlp", collector.url, "--otlp-attributes", attributes],
            capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 64 and expected in done.stderr
        return
    server = exporting(running, collector.url, "--otlp-attributes", attributes)
    call(server)
    wait_for(collector.spans)
    assert collector.resource()["a"] == "" and collector.resource()["b"] == "c"


@pytest.mark.parametrize("options", [
    [], ["--otlp", "http://127.0.0.1:1", "--otlp-timeout", "1", "--trace-ratio", "0"],
], ids=["alone", "with-options"])
def test_invalid_variables_without_an_effect_are_logged(options, running):  # noqa: F811
    server = running(start_demo, *options, environment={
        "OTEL_TRACES_SAMPLER": "zzz\x1b", "OTEL_EXPORTER_OTLP_TIMEOUT": "-1", "OTEL_X": "x",
        "OTEL_METRICS_EXPORTER": "x"})
    call(server)
    assert server.stop() == 0
    errors = server.process.stderr.read()
    assert errors.count("a variable of OpenTelemetry is ignored") == 2
    assert "OTEL_TRACES_SAMPLER: invalid sampler" in errors and "\x1b" not in errors
    assert "OTEL_EXPORTER_OTLP_TIMEOUT" in errors
