//! The runtime of HTTP and what it serves.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::{Bound, Parts};
use crate::http::{Crowd, Hosts, HttpServer, Serving, Site};
use crate::monitor::{CONNECTIONS_MAX, Monitor, Sources};
use crate::server::Admission;

/// One thread serves the monitor's few clients.
const THREADS: usize = 1;

/// See the module.
pub(super) struct Running {
    server: HttpServer,
    monitor: Option<(Arc<Monitor>, Serving)>,
}

impl Running {
    pub(super) fn start(bound: Bound, parts: &Parts<'_>) -> io::Result<Option<Self>> {
        let Bound { metrics } = bound;
        if metrics.is_none() {
            return Ok(None);
        }
        let server = HttpServer::start(THREADS)?;
        let monitor = metrics.map(|listener| monitor(&server, listener, parts)).transpose()?;
        Ok(Some(Self { server, monitor }))
    }

    pub(super) fn metrics(&self) -> Option<SocketAddr> {
        self.monitor.as_ref().map(|(_, serving)| serving.address())
    }

    pub(super) fn note_stop(&self) {
        self.monitor.iter().for_each(|(monitor, _)| monitor.note_stop());
    }

    pub(super) fn close(self) {
        self.server.close();
    }
}

fn monitor(
    server: &HttpServer,
    listener: TcpListener,
    parts: &Parts<'_>,
) -> io::Result<(Arc<Monitor>, Serving)> {
    let (service, log) = (Arc::clone(parts.service), parts.log.clone());
    let monitor = Monitor::new(Sources { service, server: Arc::clone(&parts.server), log })?;
    let site = Site {
        router: monitor.router(),
        hosts: Hosts { names: parts.arguments.metrics_host.clone(), option: "--metrics-host" },
        identity: None,
        admission: Admission::new(CONNECTIONS_MAX.into(), CONNECTIONS_MAX.into()),
        crowd: Crowd::ReplaceOldest,
    };
    server.spawn(Arc::clone(&monitor).keep_counting());
    let serving = server.serve(listener, site)?;
    Ok((monitor, serving))
}
