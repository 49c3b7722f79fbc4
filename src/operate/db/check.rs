//! `db check`: connects as a server would, and asks the database what it can promise.

use serde_json::json;

use crate::catalogue::postgres as texts;
use crate::operate::database::{Postgres, version_shown};
use crate::operate::failure::Failure;
use crate::operate::output::Output;
use crate::store::postgres::durability::{Durability, Promise};

/// Tells what a server with these settings would find.
pub(super) fn run(postgres: &Postgres, mut output: Output) -> Result<(), Failure> {
    let (found, promise) = postgres.check()?;
    let target = &postgres.connector.target;
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
