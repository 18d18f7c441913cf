"""JupyterLab in a real, headless browser: what the browser tests and the screenshots stand on."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


_RUN_ALL = """
async limit => {
    const run = async () => {
        const context = jupyterapp.shell.currentWidget.context;
        await context.ready;
        await context.sessionContext.ready;
        await context.sessionContext.session.kernel.info;
        await jupyterapp.commands.execute('notebook:run-all-cells');
        return true;
    };
    return Promise.race([run(), new Promise(resolve => setTimeout(resolve, limit, false))]);
}
"""

_ERRORS = """
() => jupyterapp.shell.currentWidget.content.widgets
    .flatMap(cell => cell.model.toJSON().outputs ?? [])
    .filter(output => output.output_type === 'error')
    .map(output => `${output.ename}: ${output.evalue}`)
"""


@contextmanager
def jupyterlab(notebooks: Path, home: Path) -> Iterator[str]:
    """Serve `notebooks` on loopback with all settings in `home`; yields the address of a notebook, with {} its name."""
    home.mkdir()
    _turn_news_off(home)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    token = secrets.token_hex(8)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root"]
    command += [
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        "--LabApp.expose_app_in_browser=True",
    ]
    command += [f"--notebook-dir={notebooks}"]
    with (home / "jupyter.log").open("w") as log:
        server = subprocess.Popen(command, env=_environment(home), stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/status?token={token}", server)
        yield f"http://127.0.0.1:{port}/lab/workspaces/{secrets.token_hex(4)}/tree/{{}}?token={token}&reset"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _turn_news_off(home: Path) -> None:
    settings = (
        home / "jupyterlab_settings_dir" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    )
    settings.parent.mkdir(parents=True)
    settings.write_text('{"fetchNews": "false", "checkForUpdates": false}')


def _environment(home: Path) -> dict[str, str]:
    variables = ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR"]
    variables += ["JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR"]
    return os.environ | {name: str(home / name.lower()) for name in variables}


def _wait_for(address: str, server: subprocess.Popen, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.poll() is not None:
            raise RuntimeError(f"JupyterLab ended with code {server.returncode}: see jupyter.log")
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise TimeoutError(f"JupyterLab did not answer within {seconds} s")


def run_all(page, address: str, name: str, timeout_s: float = 300) -> list[str]:
    """Open a notebook, run all its cells and wait for the last; returns the error outputs' texts."""
    page.goto(address.format(name))
    page.wait_for_function(
        f"() => window.jupyterapp?.shell?.currentWidget?.context?.path?.endsWith({name!r})", timeout=60_000
    )
    finished = page.evaluate(_RUN_ALL, timeout_s * 1000)
    assert finished, f"{name} did not finish within {timeout_s} s"
    return page.evaluate(_ERRORS)
