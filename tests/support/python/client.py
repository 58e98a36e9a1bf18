"""An XMPP client for tests: slixmpp, driven by JSON lines.

Commands come on standard input, one JSON object a line; events go to standard output likewise.

  {"cmd": "login", "jid": ..., "password": ..., "host": ..., "port": ...}
  {"cmd": "raw", "xml": ...}      send this as it is
  {"cmd": "abort"}                drop the connection without a word
  {"cmd": "disconnect"}           close the stream in order
  {"cmd": "reconnect"}            log in again
  {"cmd": "present", "features": [...]}  be available, with a hash (XEP-0115) of these and its own
                                  features; with that of XEP-0144, take what is suggested
  {"cmd": "archive", "jid": ..., "page": ...}  read an archive to its end, by slixmpp's XEP-0313

  {"event": "session", "jid": ...}            logged in and bound
  {"event": "failed", "reason": ...}          the login was refused or nobody answers
  {"event": "disconnected"}
  {"event": "archive", "messages": [{"from", "body"}]}
  {"event": "stanza", "xml": ..., "node": {"ns", "name", "attrs", "text", "children"}}

Every stanza received is reported, before slixmpp acts on it. The client answers disco, version
and ping; it does not answer subscription requests, and sends no presence of its own accord.
"""

import asyncio
import json
import logging
import sys
import threading
from xml.etree import ElementTree

import slixmpp
from slixmpp.xmlstream import tostring
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

ROSTERX = "http://jabber.org/protocol/rosterx"


def emit(event, **fields):
    fields["event"] = event
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def split(tag):
    if tag.startswith("{"):
        return tag[1:].split("}", 1)
    return "", tag


def node(element):
    ns, name = split(element.tag)
    text = [element.text or ""] + [child.tail or "" for child in element]
    return {
        "ns": ns,
        "name": name,
        "attrs": dict(element.attrib),
        "text": "".join(text),
        "children": [node(child) for child in element],
    }


class Client(slixmpp.ClientXMPP):
    def __init__(self, command):
        super().__init__(command["jid"], command["password"])
        self.host = (command["host"], command["port"])
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0092")
        self.register_plugin("xep_0199")
        self.register_plugin("xep_0313")
        mechanisms = self["feature_mechanisms"]
        mechanisms.unencrypted_plain = True
        mechanisms.unencrypted_scram = True
        mechanisms.unencrypted_digest = True
        self.add_filter("in", self.report)
        self.add_event_handler("session_start", lambda _: emit("session", jid=self.boundjid.full))
        self.add_event_handler("disconnected", lambda _: emit("disconnected"))
        self.add_event_handler("failed_all_auth", lambda _: emit("failed", reason="auth"))
        self.add_event_handler("connection_failed", lambda e: self.give_up(str(e)))
        self.add_event_handler("stream_error", lambda e: emit("stream_error", xml=str(e)))

    def give_up(self, reason):
        self.cancel_connection_attempt()
        emit("failed", reason=reason)

    def report(self, stanza):
        if split(stanza.xml.tag)[1] in ("message", "presence", "iq"):
            emit("stanza", xml=tostring(stanza.xml), node=node(stanza.xml))
        return stanza

    async def archive(self, jid, page):
        messages = []
        try:
            found = self["xep_0313"].iterate(jid=slixmpp.JID(jid), rsm={"max": page})
            async for message in found:
                said = message["mam_result"]["forwarded"]["stanza"]
                messages.append({"from": str(said["from"]), "body": said["body"]})
            emit("archive", messages=messages)
        except Exception as error:
            emit("failed", reason=repr(error))

    async def present(self, features):
        self.register_plugin("xep_0115")
        for feature in features:
            self["xep_0030"].add_feature(feature)
        if ROSTERX in features:
            match = MatchXPath("{%s}iq/{%s}x" % (self.default_ns, ROSTERX))
            self.register_handler(Callback("rosterx", match, self.suggested))
        await self["xep_0115"].update_caps(broadcast=False)
        self.send_presence()

    def suggested(self, iq):
        iq.reply().send()
        for item in iq.xml.iter("{%s}item" % ROSTERX):
            jid = item.attrib["jid"]
            if item.attrib["action"] == "delete":
                self.del_roster_item(jid)
                continue
            groups = [group.text for group in item.iter("{%s}group" % ROSTERX)]
            self.update_roster(jid, name=item.attrib.get("name"), groups=groups)
            self.send_presence_subscription(pto=jid)

    def start(self):
        self.connect(address=self.host, force_starttls=False, disable_starttls=True)


class Driver:
    def __init__(self, loop):
        self.loop = loop
        self.client = None

    def handle(self, command):
        getattr(self, "do_" + command.pop("cmd"))(**command)

    def do_login(self, **command):
        self.client = Client(command)
        self.client.start()

    def do_raw(self, xml):
        # A slip in the test's own XML must not look like a fault of the server.
        ElementTree.fromstring(xml)
        self.client.send_raw(xml)

    def do_present(self, features):
        self.presenting = self.loop.create_task(self.client.present(features))

    def do_archive(self, jid, page):
        self.reading = self.loop.create_task(self.client.archive(jid, page))

    def do_abort(self):
        self.client.abort()

    def do_disconnect(self):
        self.client.disconnect(wait=2)

    def do_reconnect(self):
        self.client.start()


def read_commands(loop, driver):
    for line in sys.stdin:
        loop.call_soon_threadsafe(driver.handle, json.loads(line))
    loop.call_soon_threadsafe(loop.stop)


def main():
    level = logging.DEBUG if "--debug" in sys.argv else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    driver = Driver(loop)
    threading.Thread(target=read_commands, args=(loop, driver), daemon=True).start()
    loop.run_forever()


main()
