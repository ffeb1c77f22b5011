"""`make check-contract` fails for incompatible changes."""

import shutil
import subprocess

import pytest

from conftest import ROOT


@pytest.mark.parametrize("file, before, after, complaint", [
    ("admin/v1/admin.proto", "  double moved_share = 2;", "  double moved_share = 17;",
     'Previously present field "2" with name "moved_share" on message "SetTrafficResponse" was'),
    ("admin/v1/admin.proto", "  rpc Rollback(RollbackRequest) returns (RollbackResponse);", "",
     'Previously present RPC "Rollback" on service "Admin" was deleted'),
    ("v1/serve.proto", "  bytes payload = 1;", "  string payload = 1;",
     'Field "1" with name "payload" on message "CallRequest" changed type'),
    ("v1/serve.proto", "string method_name", "string MethodName",
     'Field name "MethodName" should be lower_snake_case'),
], ids=["number", "call", "type", "style"])
def test_a_contract_that_is_not_kept(tmp_path, file, before, after, complaint):
    folder = tmp_path / "protos"
    shutil.copytree(ROOT / "protos", folder)
    path = folder / "weir" / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    run = subprocess.run(
        ["make", "-s", "check-contract", f"PROTOS={folder}"], cwd=ROOT, capture_output=True,
        text=True, timeout=120)
    assert run.returncode != 0 and complaint in run.stdout + run.stderr
