//! `chat-server` for its operator: commands, files, configuration, monitoring.

#[macro_use]
#[path = "../support/mod.rs"]
mod support;

mod admin;
mod admin_commands;
mod admin_page;
mod admin_socket;
mod backup;
mod dashboard;
mod first_start;
mod init;
mod inspect;
mod invitations;
mod monitor;
#[cfg(feature = "postgres")]
mod moving;
mod opening;
mod operations;
#[cfg(feature = "postgres")]
mod postgres_admin_socket;
#[cfg(feature = "postgres")]
mod postgres_connect;
#[cfg(feature = "postgres")]
mod postgres_init;
#[cfg(feature = "postgres")]
mod postgres_promise;
#[cfg(feature = "postgres")]
mod postgres_settings;
mod purge;
mod rooms;
mod rooms_data;
mod said;
mod server_cli;
mod server_config;
mod server_log;
mod service_manager;
mod status_page;
mod transfer;
#[cfg(feature = "postgres")]
mod two_nodes;
mod upgrade;
