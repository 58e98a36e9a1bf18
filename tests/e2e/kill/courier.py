"""A courier plugin whose network is at the end of a TCP connection, a line a message.

  out JOB TO TEXT             to the network: a message
  ok NUMBER                   to the network: that line was taken for good
  NUMBER state JOB STATE      from the network: what became of a message
  NUMBER in TEXT              from the network: a message to juliet

The network says a line again at the next connection unless it was answered with `ok`.
"""

import json
import socket
import sys
import threading

ABOUT = {
    "protocol": 1,
    "name": "far",
    "version": "1",
    "address": {"contact": "{id}"},
    "caps": {"receipts": True, "read": True},
    "courier": True,
    "idempotent": True,
}
JULIET = {"jid": {"local": "juliet", "domain": "localhost"}}

locks = threading.Lock(), threading.Lock()
asked = {}


def write(**message):
    with locks[0]:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def ask(method, params, then):
    number = f"q{len(asked)}"
    asked[number] = then
    write(id=number, method=method, params=params)


def tell(line):
    with locks[1]:
        network.sendall(line.encode() + b"\n")


def job(params):
    number, to = params["id"], params["to"][0]["id"]
    text = params["message"]["body"]

    def begun(yes):
        if yes is True:
            tell(f"out {number} {to} {text}")

    ask("host.begin", {"job": number, "to": 0, "keys": [f"far-{number}"]}, begun)


def heard(user, line):
    number, kind, rest = line.split(" ", 2)
    taken = lambda _: tell("ok " + number)
    if kind == "state":
        of, state = rest.split(" ")
        if state == "failed":
            state = {"failed": {"kind": "no_such_target", "text": "nobody", "parts_sent": 0}}
        ask("report", {"job": int(of), "to": 0, "keys": [], "state": state}, taken)
    else:
        peer = {"kind": "contact", "id": "somebody", "network": ""}
        message = {"at": {"contact": "somebody"}, "who": {"nick": "somebody"}, "body": rest}
        delivery = {"user": user, "dedup": rest, "peer": peer, "message": message}

        def stored(results):
            if "stored" in results[0]:
                taken(None)
            else:
                print("not stored:", results, file=sys.stderr, flush=True)

        ask("host.deliver", {"batch": [delivery], "all_or_none": False}, stored)


def listen(users):
    for line in network.makefile(encoding="utf-8"):
        heard(users[0], line.rstrip("\n"))


def started(users):
    threading.Thread(target=listen, args=(users,), daemon=True).start()


for line in sys.stdin:
    message = json.loads(line)
    method, number = message.get("method"), message.get("id")
    if method is None:
        then = asked[number]
        if "result" in message:
            then(message["result"])
        else:
            print("refused:", line, file=sys.stderr, flush=True)
    elif method == "initialize":
        network = socket.create_connection(("127.0.0.1", message["params"]["config"]["port"]))
        write(id=number, result=ABOUT)
        somebody = {"kind": "contact", "id": "somebody", "network": ""}
        ask("host.find", {"handle": JULIET, "from": somebody}, started)
    elif method == "job":
        write(id=number, result={})
        job(message["params"])
    elif method == "shutdown":
        break
    elif number is not None:
        write(id=number, result={})
