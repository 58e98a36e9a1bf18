//! The XMPP wire: bytes, stanzas, addresses. Pure: no sockets, no clock, no tasks.
