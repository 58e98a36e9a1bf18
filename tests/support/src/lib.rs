//! Real servers, scripted peers and an independent XMPP client for the tests.
