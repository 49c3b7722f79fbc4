//! A network of two machines, whose cable can be cut: two network namespaces of Linux, and a pair of
//! virtual Ethernet devices between them. Packets are lost silently, as when a switch fails.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::process::geteuid;

use super::skip::{is_here, skip};

/// The addresses of the two.
pub const ADDRESSES: [&str; 2] = ["10.77.0.1", "10.77.0.2"];
/// The device of each.
const DEVICE: &str = "cable";
/// No device has it, so a packet to it is lost.
const NOBODY: &str = "02:00:00:00:00:99";

/// Two machines and the cable between them.
pub struct Network {
    machines: [Machine; 2],
}

/// A machine: whoever is in it has its network only. Files are shared.
#[derive(Clone)]
pub struct Machine(Arc<Namespace>);

struct Namespace(String);

impl Network {
    /// `None` if this machine does not allow it; the test then says why.
    #[track_caller]
    pub fn new() -> Option<Self> {
        if !geteuid().is_root() {
            skip("root, for network namespaces", "run as root");
            return None;
        }
        is_here("ip").then_some(())?;
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = |side| format!("chat-{}-{number}-{side}", std::process::id());
        let names = [name("left"), name("right")];
        if !names.iter().all(|name| is_done(&["netns", "add", name])) {
            skip("network namespaces", "use another machine");
            return None;
        }
        let network = Self { machines: names.map(|name| Machine(Arc::new(Namespace(name)))) };
        let [left, right] = network.machines.each_ref().map(Machine::name);
        let pair = ["type", "veth", "peer", "name", DEVICE, "netns", right];
        let is_linked = is_done(&[&["link", "add", DEVICE, "netns", left], &pair[..]].concat());
        if !is_linked {
            skip("virtual Ethernet devices", "use another machine");
            return None;
        }
        for (name, address) in [left, right].into_iter().zip(ADDRESSES) {
            let address = format!("{address}/24");
            done(&["-n", name, "addr", "add", &address, "dev", DEVICE]);
            done(&["-n", name, "link", "set", DEVICE, "up"]);
            done(&["-n", name, "link", "set", "lo", "up"]);
        }
        Some(network)
    }

    /// One of the two.
    pub fn machine(&self, index: usize) -> &Machine {
        &self.machines[index]
    }

    /// Cuts the cable: each side sends to nobody from now on.
    pub fn cut(&self) {
        for (machine, other) in self.machines.iter().zip([ADDRESSES[1], ADDRESSES[0]]) {
            let wrong = ["lladdr", NOBODY, "nud", "permanent", "dev", DEVICE];
            let neighbour = ["-n", machine.name(), "neigh", "replace", other];
            done(&[&neighbour[..], &wrong].concat());
        }
    }

    /// Mends the cable.
    pub fn mend(&self) {
        for (machine, other) in self.machines.iter().zip([ADDRESSES[1], ADDRESSES[0]]) {
            done(&["-n", machine.name(), "neigh", "del", other, "dev", DEVICE]);
        }
    }
}

impl Machine {
    fn name(&self) -> &str {
        &self.0.0
    }

    /// Does something in this machine: what it starts and opens stays there.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let entered = scope.spawn(|| {
                enter_namespace(self.name());
                work()
            });
            entered.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The devices in it go too.
        is_done(&["netns", "del", &self.0]);
    }
}

#[cfg(target_os = "linux")]
fn enter_namespace(name: &str) {
    use std::os::fd::AsFd;

    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

    let namespace = std::fs::File::open(format!("/run/netns/{name}")).expect("the namespace");
    let network = Some(LinkNameSpaceType::Network);
    move_into_link_name_space(namespace.as_fd(), network).expect("root may enter");
}

#[cfg(not(target_os = "linux"))]
fn enter_namespace(_: &str) {
    unreachable!("only Linux has them");
}

fn is_done(arguments: &[&str]) -> bool {
    let output = Command::new("ip").args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

fn done(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("it is installed");
    assert!(output.status.success(), "ip {arguments:?}: {output:?}");
}
