-- Isthmus behind Prosody: what to add to prosody.cfg.lua.
-- Replace irc.example.org, example.org and the secret; run `prosodyctl check`, then restart.

-- Global section. 5347 on loopback is the default; name the address when Isthmus runs elsewhere.
component_ports = { 5347 }
component_interfaces = { "127.0.0.1" }

-- Optional: lets Isthmus put contacts into rosters, rooms into bookmarks, and what users say from
-- other connections of theirs onto their devices (XEP-0356). Needs mod_privilege of prosody-modules,
-- enabled here and at the Component below.
-- VirtualHost "example.org"
--     modules_enabled = { "privilege" }
--     privileged_entities = {
--         ["irc.example.org"] = {
--             roster = "both";
--             message = "outgoing";
--             iq = {
--                 ["http://jabber.org/protocol/pubsub"] = "both";
--                 ["http://jabber.org/protocol/pubsub#owner"] = "set";
--             };
--         };
--     }

-- One Component per gateway; the domain is gateway.*.domain, the secret component.secret.
Component "irc.example.org"
    component_secret = "change me"
    -- modules_enabled = { "privilege" }
    -- A restarted Isthmus takes over from its own half-dead connection.
    component_conflict_resolve = "kick_old"
    -- Above it Prosody closes the stream; component.stanza_limit must stay below.
    component_stanza_size_limit = 512 * 1024

-- Files that mails and plugins bring are uploaded for your users (XEP-0363): name the gateways, and
-- your own domain as well, which is admitted without words only as long as the list is empty.
-- Component "upload.example.org" "http_file_share"
--     http_file_share_access = { "example.org"; "mail.example.org" }
-- If its host name has a private address where Isthmus runs: attachments.trusted there.
