//! `db check`: connects as a server would, and asks the database what it can promise.

use serde_json::json;

use crate::catalogue::postgres as texts;
use crate::operate::database::{
    Postgres, not_answered, not_connected, not_promised, version_shown,
};
use crate::operate::failure::Failure;
use crate::operate::output::Output;
use crate::store::postgres::connect::nobody_listens;
use crate::store::postgres::durability::{self, Durability, Promise};

/// Tells what a server with these settings would find.
pub(super) fn run(postgres: &Postgres, mut output: Output) -> Result<(), Failure> {
    let Postgres { connector, durability: asked, failover_wait } = postgres;
    let target = &connector.target;
    let mut client = connector
        .connect_within(*failover_wait, &nobody_listens())
        .map_err(|error| not_connected(connector, &error))?;
    let found = durability::set_session(&mut client, *asked)
        .and_then(|()| durability::look(&mut client))
        .map_err(|error| not_answered(target, error))?;
    let promise = durability::decide(&found, *asked)
        .map_err(|missing| not_promised(target, *asked, &missing))?;
    let version = version_shown(found.server_version);
    if output.is_json {
        output.object(&json!({
            "database": target.to_string(),
            "version": version,
            "durability": promise.durability.as_str(),
            "standbys": promise.standbys,
            "waiting": promise.is_waiting(),
        }))?;
    } else {
        output.line(&texts::usable(target, version))?;
        output.line(&promised(&promise))?;
    }
    output.finish()
}

fn promised(promise: &Promise) -> String {
    match (promise.durability, &promise.standbys) {
        (Durability::Local, _) => texts::promised_local().to_owned(),
        (Durability::Storage, _) => texts::promised_storage().to_owned(),
        (Durability::Standby, None) => texts::promised_standby(texts::standbys_unknown()),
        (Durability::Standby, Some(_)) if promise.is_waiting() => {
            texts::promised_standby(texts::no_standby_connected())
        }
        (Durability::Standby, Some(names)) => texts::promised_standby(names.join(", ")),
    }
}
