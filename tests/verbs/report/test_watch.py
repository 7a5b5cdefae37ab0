"""`report --watch`: a real server in a process of its own, with a real browser in front of it."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.verbs.conftest import WriteRun
from tests.verbs.report.test_page import READY, browser  # noqa: F401  a fixture
from training_hub import cli
from training_hub.run import RunDir

pytestmark = pytest.mark.needs("plotly")


@pytest.fixture
def served(write_run: WriteRun) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that serves the page of `run`, and its port."""
    write_run("run")
    command = [sys.executable, "-W", "error", "-m", "training_hub", "report", "--watch", "run", "port=0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    address = process.stdout.readline()
    assert address.startswith("http://127.0.0.1:"), process.communicate()
    yield process, int(address.split("/")[2].split(":")[1])
    process.kill()
    process.communicate()


def ask(port: int, path: str, host: str = "localhost") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"Host": f"{host}:{port}"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_it_serves_this_machine_alone_and_ctrl_c_ends_it(served: tuple[subprocess.Popen[str], int]) -> None:
    process, port = served
    before = ask(port, "/version")
    assert before == ask(port, "/version")
    RunDir("run").append_sample("after", "a question", "an answer")
    assert ask(port, "/version") != before
    status, part = ask(port, "/part")
    assert (status, "an answer" in part, len(part) < 100_000) == (200, True, True)
    assert ask(port, "/etc/passwd")[0] == 404
    assert ask(port, "/", host="evil.example")[0] == 403
    RunDir("run").metrics.write_text("{}}\n")
    assert "line 1 cannot be read and is left out" in ask(port, "/part")[1]
    RunDir("run").manifest.write_text("{}")  # no run any more, and no log of another program's
    assert ask(port, "/part")[0] == 500
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[1] == ""
    assert process.returncode == 0


@pytest.mark.browser
@pytest.mark.needs("playwright")
def test_an_open_page_follows_the_run_and_keeps_what_the_reader_chose(
    served: tuple[subprocess.Popen[str], int],
    browser: Any,  # noqa: F811
) -> None:
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"http://127.0.0.1:{served[1]}/")
    page.wait_for_function(READY)
    page.get_by_label("Over").select_option("tokens")
    page.get_by_text("The whole config").click()
    RunDir("run").append_metrics(step=11, loss=0.5, tokens=7000, tokens_per_second=1.0)
    page.wait_for_function("document.getElementById('chart-loss').data[0].x.at(-1) === 7000")
    assert page.locator("details").get_attribute("open") is not None
    assert page.locator(".cards dd").first.inner_text() == "0.5000"
    RunDir("run").append_metrics(step=11, **{"my/score": 0.25})
    page.wait_for_function("document.getElementById('further-my/score')?.data?.[0].y[0] === 0.25")
    page.close()
    assert errors == []


def test_a_port_that_is_taken_is_said_in_a_line(write_run: WriteRun, capsys: pytest.CaptureFixture[str]) -> None:
    write_run("run")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert cli.main(["report", "run", "--watch", f"port={port}"]) == 2
    assert capsys.readouterr().err == f"port={port}: is taken; choose another, or port=0 for any that is free\n"
    assert not Path("run/report.html").exists()
