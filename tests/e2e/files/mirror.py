#!/usr/bin/env python3
"""A network that carries files: what it is handed comes back reversed, with the text beside it."""

import json
import os
import sys

waiting, spool = {}, ""


def write(**message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def ask(method, params, then):
    number = f"q{len(waiting)}"
    waiting[number] = then
    write(id=number, method=method, params=params)


def event(session, **fields):
    write(method="event", params={"session": session, "ev": fields})


def send(session, cmd):
    def say(text, blobs):
        who = {"nick": "mirror"}
        event(session, type="message", at={"contact": "mirror"}, who=who, body=text, blobs=blobs)

    if not cmd["blobs"]:
        return say(cmd["body"], [])
    blob = cmd["blobs"][0]
    ours, theirs = f"in{len(waiting)}", f"out{len(waiting)}"

    def stored(answer):
        url = answer["result"]["url"]
        say(cmd["body"], [{"name": "back.bin", "mime": blob["mime"], "url": url}])

    def read(answer):
        with open(os.path.join(spool, ours), "rb") as file:
            content = file.read()
        os.remove(os.path.join(spool, ours))
        with open(os.path.join(spool, theirs), "wb") as file:
            file.write(content[::-1])
        about = {"name": "back.bin", "mime": blob["mime"], "file": theirs}
        ask("host.store_blob", about, stored)

    ask("host.read_blob", {"url": blob["url"], "file": ours}, read)


for line in sys.stdin:
    message = json.loads(line)
    method, params = message.get("method"), message.get("params") or {}
    if method is None:
        waiting[message["id"]](message)
        continue
    result = {}
    if method == "initialize":
        spool = params["spool"]
        caps = {"multiline": True, "attachments": True}
        result = {"protocol": 1, "name": "mirror", "address": {"contact": "{id}"}, "caps": caps}
    if "id" in message:
        write(id=message["id"], result=result)
    if method == "session.open":
        online = {"network": "Mirror", "fold": "unicode", "ranks": [], "me": "juliet"}
        caps = {"multiline": True, "attachments": True}
        event(params["session"], type="online", caps=caps, **online)
    if method == "command" and params["cmd"]["type"] == "send":
        send(params["session"], params["cmd"])
    if method == "shutdown":
        break
