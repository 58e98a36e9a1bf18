//! The whole program between real servers: each file is one theme, each test one pair of servers.
//!
//! An XMPP server, a server of the other network and the program run as processes on loopback; an
//! independent XMPP client and one of the other network say what they saw. Waits are for words, with a deadline.

mod archive;
mod attach;
mod attach_tls;
mod clients;
mod compared;
mod contacts;
mod conversation;
mod crash;
mod displayed;
mod double;
mod drain;
mod elsewhere;
mod email;
mod endure;
mod face;
mod figures;
mod files;
mod hostile;
mod hostile_irc;
mod import;
mod keys;
mod kill;
mod lasting;
mod operate;
mod paste;
mod people;
mod plugin;
mod registration;
mod reload;
mod restart_irc;
mod restart_xmpp;
mod services;
mod sms;
mod tags;
mod talker;
mod tap;
mod ways;
mod world;
