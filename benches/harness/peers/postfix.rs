//! Postfix. A message comes by SMTP into its queue and, after the acknowledgement, into a maildir.
//! All recipients share one maildir, because creating a thousand folders is not what is measured.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Signal, geteuid};

use super::{
    MessageSource, Messages, Peer, Process, Running, TIMEOUT, find_program, free_address, let_in,
    run, user_id, write_recipient,
};
use crate::harness::generator::Protocol;

/// The domain of all recipients, which is reserved (RFC 2606).
const DOMAIN: &str = "bench.invalid";
/// The most processes of each kind. Each connection needs one.
const PROCESSES_MAX: usize = 1100;
/// The owner of the maildir: `nobody`.
const MAIL_OWNER: u32 = 65534;

/// `postfix`.
pub struct Postfix {
    program: PathBuf,
}

impl Postfix {
    /// Finds it on this machine, if this process is root, because only root can start it.
    pub fn find() -> Option<Self> {
        let program = find_program("postfix").filter(|_| geteuid().is_root())?;
        Some(Self { program })
    }
}

impl Peer for Postfix {
    fn name(&self) -> &str {
        "Postfix"
    }

    fn description(&self) -> String {
        let version = built_in("mail_version").unwrap_or_default();
        format!(
            "Postfix {version}; MAIL, RCPT and BDAT in one packet, fsynced into its queue, delivered to a maildir"
        )
    }

    fn start(&self, folder: &Path) -> Result<Box<dyn Running>> {
        let address = free_address()?;
        let (configuration, mail) = (folder.join("postfix"), folder.join("mail"));
        let (queue, data) = (folder.join("queue"), folder.join("data"));
        for made in [&configuration, &mail, &queue, &data] {
            fs::create_dir(made)?;
        }
        chown(&mail, Some(MAIL_OWNER), None)?;
        chown(&data, Some(user_id("postfix")?), None)?;
        let_in(folder)?;
        fs::write(configuration.join("main.cf"), main_cf(folder))?;
        fs::write(configuration.join("master.cf"), master_cf(address))?;
        // This creates the folders of the queue.
        run(Command::new(&self.program).arg("-c").arg(&configuration).arg("check"))?;
        let mut command = Command::new(Path::new(&built_in("daemon_directory")?).join("master"));
        // In the foreground, so that its resources count as its own.
        command.arg("-c").arg(&configuration).arg("-d");
        let process = Process::start(&mut command, address)?;
        Ok(Box::new(RunningPostfix { process, address, queue, mail }))
    }
}

/// The default value of a setting.
fn built_in(setting: &str) -> Result<String> {
    let program = find_program("postconf").context("there is no postconf")?;
    let output = Command::new(program).args(["-d", "-h", setting]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A configuration with nothing that slows it down, except what protects a message. There are no
/// name lookups, no rate limits, and no pauses when messages arrive faster than they are delivered.
fn main_cf(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file_prefixes = {folder}
maillog_file = {folder}/mail.log
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = {DOMAIN}
mydestination =
alias_maps =
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{MAIL_OWNER}
virtual_gid_maps = static:{MAIL_OWNER}
default_process_limit = {PROCESSES_MAX}
virtual_destination_concurrency_limit = 20
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_relay_restrictions = reject_unauth_destination
in_flow_delay = 0
"
    )
}

/// The services of Postfix that accept and deliver a message.
fn master_cf(address: SocketAddr) -> String {
    format!(
        "{address} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - 20 virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"
    )
}

struct RunningPostfix {
    process: Process,
    address: SocketAddr,
    queue: PathBuf,
    mail: PathBuf,
}

impl Running for RunningPostfix {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> u32 {
        self.process.id()
    }

    fn protocol(&self, messages: Messages) -> Box<dyn Protocol> {
        Box::new(Mails { source: MessageSource::new(messages) })
    }

    /// A message that is in delivery while Postfix stops may be counted twice.
    fn stop(self: Box<Self>, _: Messages, acknowledged: u64) -> Result<()> {
        // It ends by a signal, which does not count as success.
        let _ = self.process.stop_by(Signal::TERM);
        // In the order in which a message passes through them, so that none is missed.
        let queued = ["incoming", "active", "deferred"].map(|part| self.queue.join(part));
        let stored: u64 = queued.iter().chain([&self.mail]).map(|part| count_files(part)).sum();
        ensure!(stored >= acknowledged, "{acknowledged} were acknowledged, {stored} are stored");
        Ok(())
    }
}

/// The number of non-empty files below a folder, ignoring those that disappear meanwhile.
fn count_files(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let count = |entry: fs::DirEntry| match entry.metadata() {
        Ok(file) if file.is_dir() => count_files(&entry.path()),
        Ok(file) => u64::from(file.size() > 0),
        Err(_) => 0,
    };
    entries.map(count).sum()
}

/// A whole message without waiting for replies in between (RFC 2920 and RFC 3030).
struct Mails {
    source: MessageSource,
}

impl Protocol for Mails {
    fn prepare_connection(&self, stream: &mut TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(TIMEOUT))?;
        let mut reader = BufReader::new(stream.try_clone()?);
        expect(&mut reader, "220")?;
        stream.write_all(b"EHLO load\r\n")?;
        let offers = expect(&mut reader, "250")?;
        ensure!(offers.contains("PIPELINING") && offers.contains("CHUNKING"), "it offers {offers}");
        Ok(())
    }

    fn write_request(&mut self, out: &mut Vec<u8>) {
        write!(out, "MAIL FROM:<load@{DOMAIN}>\r\nRCPT TO:<").expect("a vector accepts bytes");
        write_recipient(out, self.source.recipient());
        let bytes = self.source.messages.body_bytes + "\r\n\r\n".len();
        write!(out, "@{DOMAIN}>\r\nBDAT {bytes} LAST\r\n\r\n").expect("a vector accepts bytes");
        self.source.write_body(out);
        out.extend_from_slice(b"\r\n");
    }

    /// Three lines: for the sender, for the recipient, and for the message in the queue.
    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        let mut lines = received.split_inclusive(|&byte| byte == b'\n');
        let mut length = 0;
        for _ in 0..3 {
            let Some(line) = lines.next().filter(|line| line.ends_with(b"\n")) else {
                return Ok(None);
            };
            if !line.starts_with(b"250 ") {
                bail!("not an acknowledgement: {}", String::from_utf8_lossy(line));
            }
            length += line.len();
        }
        Ok(Some(length))
    }
}

/// Reads one reply, which may have several lines.
fn expect(reader: &mut BufReader<TcpStream>, code: &str) -> Result<String> {
    let mut answer = String::new();
    loop {
        let begin = answer.len();
        ensure!(reader.read_line(&mut answer)? > 0, "it says nothing more: {answer}");
        let line = &answer[begin..];
        ensure!(line.starts_with(code), "expected {code}: {line}");
        if line.as_bytes().get(code.len()) != Some(&b'-') {
            return Ok(answer);
        }
    }
}
