"""A plugin for the conformance tests: the name of a network, a room or a recipient, or the text
of a message, says what it does. Beside that it is well behaved."""

import json
import os
import sys
import threading
import time

LOCK = threading.Lock()
ANSWERS = {}
ROOMS = set()
RECALLED = set()
CAPS = {"rooms": True, "multiline": True}


def write(**message):
    line = json.dumps({"jsonrpc": "2.0", **message}) + "\n"
    with LOCK:
        sys.stdout.write(line)
        sys.stdout.flush()


def event(session, kind, **fields):
    write(method="event", params={"session": session, "ev": {"type": kind, **fields}})


def answer(number, result=None):
    write(id=number, result=result or {})


def refuse(number, kind, text):
    write(id=number, error={"code": -32000, "message": text, "data": {"kind": kind, "text": text}})


def opened(number, params):
    session = params["session"]
    if params["network"] == "down":
        data = {"kind": "network_down", "text": "no answer", "after": 1000}
        return write(id=number, error={"code": -32000, "message": "no answer", "data": data})
    answer(number)
    if params["network"] != "mute":
        event(session, "online", network="Net", fold="exact", ranks=[], caps=CAPS, me="juliet")


def flood(session, text):
    lines, then = int(text.split()[1]), text.split()[2]
    for line in range(1, lines + 1):
        who = {"nick": "bob"}
        event(session, "message", at={"contact": "bob"}, who=who, body=f"line {line}")
    if then == "go":
        os._exit(0)


def command(number, params):
    session, cmd = params["session"], params["cmd"]
    if cmd["type"] == "send":
        answer(number, {"keys": ["k"]})
        answer(number, {"keys": ["other"]})
        if cmd["body"].startswith("flood "):
            flood(session, cmd["body"])
    elif cmd["type"] == "join" and cmd["room"] == "full":
        refuse(number, "room_full", "no room for you")
        refuse(number, "room_full", "no room for you")
    elif cmd["type"] == "join":
        event(session, "joined", room=cmd["room"], nick="juliet", asked=params["tag"])
        names = [{"who": {"nick": "juliet"}}]
        event(session, "names", room=cmd["room"], some=names, last=True)
        answer(number)
    elif cmd["type"] in ("leave", "away"):
        answer(number)
    else:
        refuse(number, "unsupported", "there is no such thing here")


def ask(method, params):
    with LOCK:
        number = 1000 + len(ANSWERS)
        waits = ANSWERS[number] = [threading.Event(), None]
    write(id=number, method=method, params=params)
    waits[0].wait()
    return waits[1]


def job(number, params):
    if any(to["id"] == "bad" for to in params["to"]) and len(params["to"]) == 1:
        return refuse(number, "bad_address", "nobody is called bad")
    answer(number)
    for at, to in enumerate(params["to"]):
        copy(params, at, to["id"])


def copy(params, at, name):
    def report(state):
        write_report = {"job": params["id"], "to": at, "keys": ["k"], "state": state}
        ask("report", write_report)

    while name == "hold" and os.path.exists("stalled"):
        time.sleep(0.01)
    if params["id"] in RECALLED:
        return
    if name == "bad":
        return report({"failed": {"kind": "bad_address", "text": "nobody is called bad"}})
    if not ask("host.begin", {"job": params["id"], "to": at, "keys": ["k"]}):
        return
    with open("arrived", "a") as file:
        file.write(json.dumps(params["message"]["body"]) + "\n")
    if name == "refused":
        return report({"failed": {"kind": "forbidden", "text": "no"}})
    for state in ["accepted", "delivered"]:
        for _ in range(2 if name == "doubled" else 1):
            report(state)


def serve(message):
    number, method, params = message.get("id"), message.get("method"), message.get("params")
    if method is None:
        waits = ANSWERS[number]
        waits[1] = message.get("result")
        waits[0].set()
    elif method == "initialize":
        address = {"contact": "{id}%{network}", "room": "#{id}%{network}"}
        about = {"name": "conform", "address": address, "caps": CAPS, "courier": True}
        answer(number, {"protocol": 1, "prompt": "a name", "idempotent": True, **about})
    elif method == "session.open":
        opened(number, params)
    elif method == "command":
        command(number, params)
    elif method == "job":
        threading.Thread(target=job, args=(number, params), daemon=True).start()
    elif method == "recall":
        RECALLED.add(params["job"])
        write(id=number, result=True)
    elif method == "dialog":
        refuse(number, "unsupported", "there is no such dialog")
    elif number is not None:
        answer(number)
        if method == "shutdown":
            os._exit(0)


for line in sys.stdin:
    serve(json.loads(line))
os._exit(0)
