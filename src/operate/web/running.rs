//! The runtime of HTTP and what it serves.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::{Bound, Parts, Url};
use crate::gateway::{self, Gateway};
use crate::http::{self, Crowd, Hosts, HttpServer, Serving, Site, Traffic};
use crate::monitor::{CONNECTIONS_MAX, Monitor, Sources};
use crate::server::{Admission, Proxies};

/// The most threads: the work is the service's, which has threads of its own.
const THREADS_MAX: usize = 2;

/// See the module.
pub(super) struct Running {
    server: HttpServer,
    monitor: Option<(Arc<Monitor>, Serving)>,
    gateway: Option<Arc<Gateway>>,
    /// What the gateway's listeners serve, and whether it is encrypted.
    http: Vec<(Serving, bool)>,
}

impl Running {
    pub(super) fn start(bound: Bound, parts: &Parts<'_>) -> io::Result<Option<Self>> {
        let Bound { http, metrics } = bound;
        if metrics.is_none() && http.is_empty() {
            return Ok(None);
        }
        // One thread serves the monitor's few clients.
        let processors = thread::available_parallelism().map_or(1, |count| count.get());
        let threads = if http.is_empty() { 1 } else { processors.div_ceil(2).min(THREADS_MAX) };
        let server = HttpServer::start(threads)?;
        let traffic = Arc::new(Traffic::new(&gateway::KINDS, gateway::kind));
        let monitor = metrics.map(|listener| monitor(&server, listener, parts, &traffic));
        let monitor = monitor.transpose()?;
        let mut running = Self { server, monitor, gateway: None, http: Vec::new() };
        if !http.is_empty() {
            running.serve_users(http, parts, &traffic)?;
        }
        Ok(Some(running))
    }

    pub(super) fn metrics(&self) -> Option<Url> {
        let serving = self.monitor.as_ref().map(|(_, serving)| serving)?;
        Some(Url { address: serving.address(), is_encrypted: false })
    }

    pub(super) fn http(&self) -> Vec<Url> {
        let url = |(serving, is_encrypted): &(Serving, bool)| Url {
            address: serving.address(),
            is_encrypted: *is_encrypted,
        };
        self.http.iter().map(url).collect()
    }

    pub(super) fn stop(&self) {
        self.monitor.iter().for_each(|(monitor, _)| monitor.note_stop());
        self.gateway.iter().for_each(|gateway| gateway.stop());
        self.http.iter().for_each(|(serving, _)| serving.stop());
    }

    pub(super) fn wait(&self, deadline: Instant) {
        let wait = deadline.saturating_duration_since(Instant::now());
        self.server.wait(self.http.iter().map(|(serving, _)| serving), wait);
        self.gateway.iter().for_each(|gateway| gateway.sign_out());
    }

    pub(super) fn close(self) {
        self.server.close();
    }

    fn serve_users(
        &mut self,
        bound: Vec<(TcpListener, Option<Arc<crate::server::Identity>>)>,
        parts: &Parts<'_>,
        traffic: &Arc<Traffic>,
    ) -> io::Result<()> {
        let (arguments, limits) = (parts.arguments, parts.limits);
        let proxies = Proxies::new(&arguments.proxy_protocol);
        let origins = arguments.http_origins.clone();
        let (heartbeat, metrics) = (limits.heartbeat.clone(), Arc::clone(&parts.server));
        let options = gateway::Options { heartbeat, origins, proxies, metrics };
        let gateway = Gateway::new(Arc::clone(parts.service), options);
        let hosts = Hosts {
            names: arguments.http_host.clone(),
            certificate: parts.identity.clone(),
            option: "--http-host",
        };
        let admission = Admission::new(
            limits.connections_max.clone(),
            limits.connections_per_address_max.clone(),
        );
        for (listener, identity) in bound {
            let is_encrypted = identity.is_some();
            let site = Site {
                router: gateway.router(),
                hosts: hosts.clone(),
                refusal: gateway::refusal,
                traffic: Some(Arc::clone(traffic)),
                identity,
                admission: admission.clone(),
                crowd: Crowd::Refuse,
            };
            self.http.push((self.server.serve(listener, site)?, is_encrypted));
        }
        self.gateway = Some(gateway);
        Ok(())
    }
}

fn monitor(
    server: &HttpServer,
    listener: TcpListener,
    parts: &Parts<'_>,
    traffic: &Arc<Traffic>,
) -> io::Result<(Arc<Monitor>, Serving)> {
    let (service, log) = (Arc::clone(parts.service), parts.log.clone());
    let (server_metrics, http) = (Arc::clone(&parts.server), Arc::clone(traffic));
    let monitor = Monitor::new(Sources { service, server: server_metrics, http, log })?;
    let site = Site {
        router: monitor.router(),
        hosts: Hosts {
            names: parts.arguments.metrics_host.clone(),
            certificate: None,
            option: "--metrics-host",
        },
        refusal: |status, why| http::text(status, why),
        traffic: None,
        identity: None,
        admission: Admission::new(CONNECTIONS_MAX.into(), CONNECTIONS_MAX.into()),
        crowd: Crowd::ReplaceOldest,
    };
    server.spawn(Arc::clone(&monitor).keep_counting());
    let serving = server.serve(listener, site)?;
    Ok((monitor, serving))
}
