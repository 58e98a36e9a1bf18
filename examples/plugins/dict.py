#!/usr/bin/env python3
"""Message a word, get its meaning: a gateway to a dictionary (RFC 2229). `?` asks which dictionary.

One file without dependencies. The first half is the wire and can be copied into another plugin;
docs/plugins.md describes it. Settings, all optional:

    [gateway.dict.config]
    server = "dict.example.org:2628"   # without one, or while it is away: the few words below
    database = "*"                     # "*" asks all of the server's dictionaries, "!" the first
"""

import json
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor


class Fault(Exception):
    """Why something cannot be done; `kind` is one of the fault kinds of the contract."""

    def __init__(self, kind, text, after=None):
        super().__init__(text)
        self.data = {"kind": kind, "text": text}
        if after is not None:
            self.data["after"] = after


class Session:
    """One user. Events wait for credit: never send them from the thread that reads."""

    def __init__(self, plugin, params):
        self.plugin, self.number = plugin, params["session"]
        self.user, self.kept = params["user"], params.get("kept")
        self.credit, self.over = threading.Semaphore(params["credit"]), False

    def event(self, kind, **fields):
        while not self.credit.acquire(timeout=5):
            if self.over:
                return
        self.plugin.write(
            method="event", params={"session": self.number, "ev": {"type": kind, **fields}}
        )


class Plugin:
    """Reads requests, answers them from a few threads."""

    about = {}

    def __init__(self):
        self.sessions, self.lock = {}, threading.Lock()
        self.pool = ThreadPoolExecutor(max_workers=8)

    # What a plugin overrides.
    def start(self, params):
        """Its settings are in `params["config"]`."""

    def online(self, session):
        """The user is there."""

    def command(self, session, tag, cmd):
        """Does what is asked and returns the result, or raises a Fault."""
        raise Fault("unsupported", "there is no " + cmd["type"] + " here")

    def dialog(self, user, step):
        """Takes the answers to an `ask` and returns the next step, or raises a Fault."""
        raise Fault("unsupported", "nothing was asked")

    # The wire.
    def write(self, **message):
        line = json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":"))
        with self.lock:
            sys.stdout.buffer.write(line.encode() + b"\n")
            sys.stdout.buffer.flush()

    def answer(self, number, act, *args):
        try:
            self.write(id=number, result=act(*args))
        except Fault as fault:
            error = {"code": -32000, "message": str(fault), "data": fault.data}
            self.write(id=number, error=error)
        except Exception as error:  # A defect of ours ends one request, not the plugin.
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            self.write(id=number, error={"code": -32603, "message": "internal error"})

    def run(self):
        for line in sys.stdin.buffer:
            message = json.loads(line)
            method, params = message.get("method"), message.get("params") or {}
            number = message.get("id")
            if method == "initialize":
                self.start(params)
                self.write(id=number, result={"protocol": 1, **self.about})
            elif method == "session.open":
                session = self.sessions[params["session"]] = Session(self, params)
                self.write(id=number, result={})
                self.pool.submit(self.online, session)
            elif method == "session.credit":
                if params["session"] in self.sessions:
                    self.sessions[params["session"]].credit.release(params["events"])
            elif method == "session.close":
                if params["session"] in self.sessions:
                    self.sessions.pop(params["session"]).over = True
                self.write(id=number, result={})
            elif method == "command":
                session = self.sessions[params["session"]]
                args = (self.command, session, params["tag"], params["cmd"])
                self.pool.submit(self.answer, number, *args)
            elif method == "dialog":
                args = (self.dialog, params["user"], params["step"])
                self.pool.submit(self.answer, number, *args)
            elif method in ("ping", "forget", "shutdown"):
                self.write(id=number, result={})
                if method == "shutdown":
                    break
            elif method is not None and number is not None:
                self.write(id=number, error={"code": -32601, "message": "no such method"})
        self.pool.shutdown(cancel_futures=True)


# Here begins the dictionary.

WORDS = {
    "gateway": "a thing that ends one conversation and holds the same one elsewhere",
    "isthmus": "a narrow strip of land that joins two larger ones",
    "jabber": "to talk fast; also the first name of XMPP",
    "plugin": "a program that another program starts to learn a new trick",
}
CAPS = {"multiline": True}
GREETING = "Hello, I am a dictionary. Send me a word and I tell you its meaning."
# What is kept of a user: that he was greeted, and behind it the dictionary he has chosen.
GREETED = "greeted"


def look_up(server, database, word):
    """All meanings of a word from a DICT server, in its order."""
    host, _, port = server.rpartition(":")
    quoted = word.replace("\\", "\\\\").replace('"', '\\"')
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        lines = connection.makefile("rw", encoding="utf-8", errors="replace", newline="\r\n")

        def reply():
            line = lines.readline()
            if not line[:3].isdigit():
                raise OSError("the dictionary server has hung up")
            return int(line[:3]), line.rstrip("\r\n")

        def text():
            found = []
            while (line := lines.readline()) not in ("", ".\r\n", ".\n"):
                line = line.rstrip("\r\n")
                found.append(line[1:] if line.startswith("..") else line)
            return "\n".join(found).strip()

        if reply()[0] != 220:  # RFC 2229, section 3.1
            raise OSError("the dictionary server refuses us")
        lines.write(f'DEFINE {database} "{quoted}"\r\nQUIT\r\n')
        lines.flush()
        meanings = []
        while True:
            code, line = reply()
            if code == 151:  # section 3.2: a definition follows
                meanings.append(text())
            elif code == 552:
                return []
            elif code == 250:
                return meanings
            elif code != 150:
                raise OSError("the dictionary server says: " + line)


class Dictionary(Plugin):
    about = {
        "name": "dict",
        "version": "1.0",
        "identities": [{"category": "gateway", "kind": "dict", "name": "Dictionary"}],
        "caps": CAPS,
        "address": {"contact": "{id}"},
        "prompt": "Any name will do: write to it to look up words.",
    }

    def start(self, params):
        config = params.get("config") or {}
        self.server = config.get("server")
        self.database = config.get("database", "*")

    def online(self, session):
        facts = {"network": "Dictionary", "fold": "unicode", "ranks": [], "caps": CAPS}
        session.event("online", me=session.user["local"], **facts)

    def command(self, session, tag, cmd):
        if cmd["type"] == "away":
            return {}
        if cmd["type"] != "send" or "contact" not in cmd["to"]:
            return super().command(session, tag, cmd)
        contact = cmd["to"]["contact"]
        if not session.kept:
            self.keep(session, GREETED)
            self.say(session, contact, GREETING)
        word = " ".join(cmd["body"].split())
        if word == "?" and self.server:
            self.ask(session)
            return {"outcome": "accepted"}
        if not word or len(word) > 200 or not word.isprintable():
            raise Fault("not_expressible", "send me one word")
        self.say(session, contact, self.meaning(word, self.chosen(session)))
        return {"outcome": "accepted"}

    def say(self, session, contact, body):
        session.event("message", at={"contact": contact}, who={"nick": contact}, body=body)

    def keep(self, session, text):
        session.kept = list(text.encode())
        session.event("keep", state=session.kept)

    def chosen(self, session):
        """The dictionary of one user; the operator's unless he has chosen another."""
        return bytes(session.kept or b"").decode()[len(GREETED) + 1 :] or self.database

    def ask(self, session):
        field = {
            "name": "database",
            "label": "Which dictionary (* asks all of them)",
            "kind": "text",
            "value": self.chosen(session),
            "pattern": "[!*]|[A-Za-z0-9_.-]{1,40}",
            "required": True,
        }
        session.event("ask", name="choice", state=[], title="Your dictionary", fields=[field])

    def dialog(self, user, step):
        if step["name"] != "choice":
            return super().dialog(user, step)
        database = next((it["value"] for it in step["fields"] if it["name"] == "database"), "")
        try:
            look_up(self.server, database, "word")
        except (OSError, ValueError) as error:
            raise Fault("not_expressible", f"I cannot ask {database}: {error}")
        for session in list(self.sessions.values()):
            if session.user["id"] == user["id"]:
                self.keep(session, f"{GREETED} {database}")
        return {"done": {"account": None, "text": f"From now on I ask {database}."}}

    def meaning(self, word, database):
        found = []
        if self.server:
            try:
                found = look_up(self.server, database, word)
            except (OSError, ValueError) as error:
                print(f"{self.server}: {error}", file=sys.stderr, flush=True)
        if not found and word.lower() in WORDS:
            found = [f"{word}: {WORDS[word.lower()]}"]
        return "\n\n".join(found) or f"I don't know about {word}."


if __name__ == "__main__":
    Dictionary().run()
