-- Isthmus behind Prosody: what to add to prosody.cfg.lua.
-- Replace irc.example.org, example.org and the secret; run `prosodyctl check`, then restart.

-- Global section. 5347 on loopback is the default; name the address when Isthmus runs elsewhere.
component_ports = { 5347 }
component_interfaces = { "127.0.0.1" }

-- Optional: mod_privilege (prosody-modules, XEP-0356) lets Isthmus keep contacts and bookmarks of
-- its users. Without it everything works by asking the user. It has to be enabled twice: in the
-- global list (modules_enabled = { ...; "privilege"; }) and in the component below.

VirtualHost "example.org"
    privileged_entities = {
        ["irc.example.org"] = {
            roster = "both";
            message = "outgoing";
            presence = "roster";
            iq = {
                ["http://jabber.org/protocol/pubsub"] = "both";
                ["http://jabber.org/protocol/pubsub#owner"] = "set";
                ["urn:xmpp:http:upload:0"] = "get";
            };
        };
    }

-- One Component per gateway; the domain is gateway.*.domain, the secret component.secret.
Component "irc.example.org"
    component_secret = "change me"
    modules_enabled = { "privilege" } -- only with mod_privilege
    -- A restarted Isthmus takes over from its own half-dead connection.
    component_conflict_resolve = "kick_old"
    -- Above it Prosody closes the stream; component.stanza_limit must stay below.
    component_stanza_size_limit = 512 * 1024

-- Optional: uploads, also for the gateway.
Component "upload.example.org" "http_file_share"
    http_file_share_access = { "irc.example.org" }
