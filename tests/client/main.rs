//! `chat-cli` at the command line, at the prompt and in scripts, against real servers.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod blocks;
mod changes;
mod classic;
mod commands;
mod completions;
mod config;
mod cookbook;
mod details;
mod done;
mod everybody;
mod expect;
mod expiry;
mod faults;
mod join;
mod language;
mod live;
mod local_login;
mod login;
mod marks;
mod mcp;
mod narrow;
mod notify;
mod oneshot;
mod outcome;
mod output;
mod progress;
mod prompt;
mod receipts;
mod room_prompt;
mod room_questions;
mod rooms;
mod scheduled;
mod search;
mod several_servers;
mod signals;
mod stream;
mod talk;
mod tls;
mod token;
mod typeahead;
mod users;
mod watch;
mod who;
