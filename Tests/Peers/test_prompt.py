"""The interactive prompt, typed at through a pseudo-terminal."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

import pytest

from support import BINARY, wait_until_it_works

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A prompt and what it has shown."""

    def __init__(self, varve, history, *arguments, columns=100):
        self.shown = ""
        environment = {**varve.environment, "VARVE_HISTORY": str(history), "TERM": "xterm"}
        self.process, self.descriptor = pty.fork()
        if self.process == 0:
            os.execve(BINARY, [str(BINARY), "sql", "--warehouse", varve.warehouse, *arguments], environment)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.status = None

    def read(self, seconds):
        ready, _, _ = select.select([self.descriptor], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.descriptor, 1 << 16)
        except OSError:
            return None
        self.shown += CONTROL.sub("", data.decode(errors="replace"))
        return bool(data) or None

    def wait_for(self, text, seconds=120):
        """Waits until a text is shown, and forgets what was before its end."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < deadline, f"no {text!r} in {self.shown!r}"
            assert self.read(0.2) is not None or text in self.shown, f"ended without {text!r}: {self.shown!r}"
        before, self.shown = self.shown.split(text, 1)
        return before

    def type(self, text):
        os.write(self.descriptor, text.encode())

    def run(self, text, answer):
        self.type(text + "\r")
        return self.wait_for(answer)

    def end(self, seconds=120):
        """The exit status, once everything is read."""
        deadline = time.monotonic() + seconds
        while self.read(0.2) is not None:
            assert time.monotonic() < deadline, "the prompt does not end"
        _, status = os.waitpid(self.process, 0)
        self.status = status
        return os.waitstatus_to_exitcode(status)

    def close(self):
        if self.status is None:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        os.close(self.descriptor)


@pytest.fixture
def terminal(varve, tmp_path):
    varve.execute("CREATE TABLE flights (carrier VARCHAR, dep_delay INT); INSERT INTO flights VALUES ('UA', 7), ('é', 8)")
    opened = []

    def open_terminal(*arguments, **options):
        one = Terminal(varve, tmp_path / "history", *arguments, **options)
        opened.append(one)
        one.wait_for("varve> ")
        return one

    yield open_terminal
    for one in opened:
        one.close()


def test_statements_may_have_many_lines(terminal):
    screen = terminal("--format", "csv")
    screen.run("SELECT carrier,", "...> ")
    screen.run("';' AS semicolon -- not the end;", "...> ")
    screen.run("FROM flights WHERE dep_delay = 7;", "UA,;")
    screen.wait_for("varve> ")
    screen.run("SELECT nonsense;", "nonsense")
    screen.wait_for("varve> ")
    screen.type("\x04")
    assert screen.end() == 0


def test_lines_can_be_edited(terminal):
    screen = terminal("--format", "csv", columns=40)
    # Left, home, end, deletion of words and a line longer than the terminal.
    screen.run("2 AS b;\x1b[H\x05\x01SELECT 1 AS a, x\x7f", "a,b\r\n1,2")
    screen.run("SELECT wrong words\x17\x1777 AS \x1b[D\x1b[Cc;", "c\r\n77")
    screen.run("garbage\x15SELECT '" + "0123456789" * 9 + "' AS \u00e9\u0301\x7fx;", "x\r\n" + "0123456789" * 9)
    screen.wait_for("varve> ")
    screen.run("SELECT length('\u00e9\u4e16') AS n;", "n\r\n2")


def test_history_is_kept_and_walked(terminal, tmp_path):
    screen = terminal("--format", "csv")
    screen.run("SELECT 41 + 1 AS answer;", "answer\r\n42")
    screen.wait_for("varve> ")
    screen.type(".quit\r")
    assert screen.end() == 0
    assert (tmp_path / "history").read_text() == "SELECT 41 + 1 AS answer;\n.quit\n"
    assert (tmp_path / "history").stat().st_mode & 0o077 == 0
    screen = terminal("--format", "csv")
    screen.run("\x1b[A\x1b[A", "answer\r\n42")


def test_tab_completes_keywords_tables_and_columns(terminal):
    screen = terminal("--format", "csv")
    screen.run("SELECT 1 AS ready;", "ready\r\n1")
    screen.wait_for("varve> ")
    deadline = time.monotonic() + 120
    while True:
        # Names are looked up while the person types.
        screen.type("sel\tdep_\t\x01\x05 FROM fli\t;\r")
        before = screen.wait_for("varve> ")
        if "dep_delay\r\n7\r\n8" in before:
            break
        assert time.monotonic() < deadline, before
        time.sleep(0.2)
    screen.type(".ti\t")
    screen.wait_for(".timing ")


def test_commands_of_the_prompt(terminal):
    screen = terminal()
    screen.run(".tables", "flights")
    screen.run(".schema flights", "CREATE TABLE")
    screen.run(".mode json", "varve> ")
    screen.run("SELECT 5 AS five;", '{"name":"five"')
    screen.wait_for("varve> ")
    screen.run(".timing on", "varve> ")
    screen.run("FROM flights;", "Time: ")
    screen.run(".timing sideways", "is no command")
    screen.run(".help", "Tab completes")


def test_ctrl_c_cancels_a_statement_and_keeps_the_prompt(terminal):
    screen = terminal("--format", "csv")
    screen.type("SELECT sum(a.range * b.range) FROM range(3000000) a, range(3000000) b;\r")
    wait_until_it_works(screen.process)
    screen.type("\x03")
    screen.wait_for("cancelled")
    screen.wait_for("varve> ")
    # A line that is typed is given up, too.
    screen.type("SELECT half a")
    screen.type("\x03")
    screen.wait_for("varve> ")
    screen.run("SELECT 3 AS three;", "three\r\n3")
    screen.wait_for("varve> ")
    screen.type("\x04")
    assert screen.end() == 0
