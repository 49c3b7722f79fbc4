//! What must hold before the server starts, and what can be checked without the database.

use std::net::SocketAddr;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::arguments::ServeArguments;
use super::failure::{Exit, Failure};
use super::listen;
use crate::catalogue::serve as texts;
use crate::model::UserName;
use crate::server::Identity;

/// The number of descriptors that are not for connections.
const OTHER_DESCRIPTORS: u64 = 128;

/// Checks whether the system's limits allow the settings and whether they are safe. Returns the
/// certificate, if there is one.
pub(super) fn check(arguments: &ServeArguments) -> Result<Option<Arc<Identity>>, Failure> {
    raise_descriptor_limit(arguments.connections_max)?;
    listen::check(arguments)?;
    #[cfg(not(feature = "http"))]
    check_http(arguments)?;
    check_metrics(arguments)?;
    listen::identity(arguments)
}

/// Each connection needs a descriptor, and the system's soft limit is often too low.
fn raise_descriptor_limit(connections_max: u32) -> Result<(), Failure> {
    let needed = u64::from(connections_max) + OTHER_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(needed));
    let raised = [limit.maximum, maximum].into_iter().any(|maximum| {
        let enough = maximum.is_none_or(|maximum| maximum >= needed);
        enough && setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum }).is_ok()
    });
    if raised {
        return Ok(());
    }
    let most = limit.maximum.unwrap_or(0).saturating_sub(OTHER_DESCRIPTORS);
    let raise = texts::raise_limit(needed);
    Err(Failure::new(Exit::Configuration, texts::too_few_descriptors(connections_max, needed))
        .hint(if most > 0 { texts::fewer_connections_or(most, raise) } else { raise }))
}

/// Refuses the options of HTTP where this program was built without it.
#[cfg(not(feature = "http"))]
fn check_http(arguments: &ServeArguments) -> Result<(), Failure> {
    let option = match (arguments.http.is_empty(), &arguments.metrics) {
        (false, _) => "--http",
        (true, Some(_)) => "--metrics",
        (true, None) => return Ok(()),
    };
    Err(Failure::new(Exit::Configuration, texts::no_http(option)).hint(texts::build_http_in()))
}

fn check_metrics(arguments: &ServeArguments) -> Result<(), Failure> {
    let addresses = arguments.metrics.iter().flat_map(|listen| &listen.addresses);
    match addresses.into_iter().find(|address| !address.ip().is_loopback()) {
        Some(address) if !arguments.allow_remote_metrics => {
            Err(Failure::new(Exit::Configuration, texts::metrics_exposed(address))
                .hint(texts::allow_remote_metrics()))
        }
        _ => Ok(()),
    }
}

/// Refuses to listen on `address` while these users have a published password.
pub(super) fn check_passwords(address: &SocketAddr, users: &[UserName]) -> Result<(), Failure> {
    if users.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = users.iter().map(UserName::as_str).collect();
    Err(Failure::new(Exit::Configuration, texts::passwords_known(address, names.join(", ")))
        .hint(texts::allow_default_passwords()))
}
