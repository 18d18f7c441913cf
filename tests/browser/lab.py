"""JupyterLab and Notebook 7 in a real, headless browser: what browser tests, benchmark and screenshots stand on."""

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

import nbformat
import pytest

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
NEEDS_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)"),
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


_ASK = """
async code => {
    const kernel = jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
    const future = kernel.requestExecute({code});
    let said = '';
    future.onIOPub = message => { said += message.content.text ?? ''; };
    await future.done;
    return said;
}
"""


def write_notebook(path: Path, *sources: str) -> None:
    """A notebook with these code cells."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)


@contextmanager
def jupyter(notebooks: Path, home: Path, *options: str) -> Iterator[dict[str, str]]:
    """Serve `notebooks` on loopback with all settings in `home`.

    Yields the address of a notebook in "lab" (JupyterLab), in "doc" (JupyterLab, alone in its window) and in "notebook"
    (Notebook 7), with {} for its name. `options` go to JupyterLab.
    """
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
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]
    command += [f"--notebook-dir={notebooks}", *options]
    with (home / "jupyter.log").open("w") as log:
        server = subprocess.Popen(command, env=_environment(home), stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/status?token={token}", server)
        base = f"http://127.0.0.1:{port}"
        yield {
            "lab": f"{base}/lab/workspaces/{secrets.token_hex(4)}/tree/{{}}?token={token}&reset",
            "doc": f"{base}/doc/tree/{{}}?token={token}",
            "notebook": f"{base}/notebooks/{{}}?token={token}",
        }
    finally:
        server.terminate()
        try:
            server.wait(timeout=60)  # it ends its kernels first
        except subprocess.TimeoutExpired:
            server.kill()


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


def run_all(page, address: str, name: str) -> list[str]:
    """Open a notebook, run all its cells and wait for the last; returns the error outputs' texts."""
    open_notebook(page, address, name)
    return run_cells(page)


def open_notebook(page, address: str, name: str) -> None:
    """Open a notebook, as it was saved, and wait until it is there."""
    page.goto(address.format(name))
    page.wait_for_function(
        f"() => window.jupyterapp?.shell?.currentWidget?.context?.path?.endsWith({name!r})", timeout=60_000
    )


def run_cells(page, timeout_s: float = 300) -> list[str]:
    """Run all cells of the open notebook and wait for the last; returns the error outputs' texts."""
    finished = page.evaluate(_RUN_ALL, timeout_s * 1000)
    assert finished, f"the notebook did not finish within {timeout_s} s"
    return page.evaluate(_ERRORS)


def ask(page, code: str) -> str:
    """What the open notebook's kernel prints for a piece of code."""
    return page.evaluate(_ASK, code)


def restart_and_run(page) -> None:
    """Restart the kernel and run all cells, as the menu does, with the button of its question pressed."""
    page.evaluate("() => void jupyterapp.commands.execute('notebook:restart-run-all')")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
