//! A file system for one test: one that is soon full, or that loses its power.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use rustix::process::geteuid;
use tempfile::TempDir;

use super::skip::{is_here, skip};

/// A file system in a file or in memory. It is unmounted when this is dropped.
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// An ext4 of this size on a loop device, whose unwritten data can be cut off. `None` if the
    /// machine does not allow it; the test then says why.
    pub fn with_switch(bytes: u64) -> Option<Self> {
        let disk = or_skip(Self::ext4(bytes))?;
        // It needs the kernel to cut the power.
        is_here("python3").then_some(disk)
    }

    /// Any file system of this size: an ext4 on a loop device, or a tmpfs. `None` if the machine
    /// does not allow it; the test then says why.
    pub fn of_size(bytes: u64) -> Option<Self> {
        or_skip(Self::ext4(bytes).or_else(|_| Self::tmpfs(bytes)))
    }

    /// An ext4 of this size with blocks of 1 KiB, as `mkfs` chooses them for a small one: a page of
    /// memory has several. `None` if the machine does not allow it; the test then says why.
    pub fn with_small_blocks(bytes: u64) -> Option<Self> {
        or_skip(Self::ext4_with(bytes, &["-b", "1024"]))
    }

    /// A tmpfs. `None` if the machine does not allow it; the test then says why.
    pub fn in_memory(bytes: u64) -> Option<Self> {
        or_skip(Self::tmpfs(bytes))
    }

    fn ext4(bytes: u64) -> Result<Self, Missing> {
        Self::ext4_with(bytes, &[])
    }

    fn ext4_with(bytes: u64, options: &[&str]) -> Result<Self, Missing> {
        let disk = Self::folder()?;
        File::create(disk.image()).unwrap().write_all_at(&[0], bytes - 1).unwrap();
        let mut command = Command::new("mkfs.ext4");
        let made = command.args(["-q", "-m", "0"]).args(options).arg(disk.image()).output();
        if !made.is_ok_and(|made| made.status.success()) {
            return Err(("mkfs.ext4", "install e2fsprogs"));
        }
        if !disk.mount().is_ok_and(|status| status) {
            return Err(("loop devices that can be mounted", "use another machine"));
        }
        Ok(disk)
    }

    fn tmpfs(bytes: u64) -> Result<Self, Missing> {
        let disk = Self::folder()?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"]).arg(disk.path());
        if !command.output().is_ok_and(|mounted| mounted.status.success()) {
            return Err(("file systems that can be mounted", "use another machine"));
        }
        Ok(disk)
    }

    fn folder() -> Result<Self, Missing> {
        if !geteuid().is_root() {
            return Err(("root, to mount a file system", "run as root"));
        }
        let disk = Self { folder: TempDir::new().unwrap() };
        fs::create_dir(disk.path()).unwrap();
        Ok(disk)
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Its mount point.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// A database on it.
    pub fn database(&self) -> PathBuf {
        self.path().join("chat.sqlite")
    }

    fn mount(&self) -> std::io::Result<bool> {
        let mut command = Command::new("mount");
        command.args(["-o", "loop"]).arg(self.image()).arg(self.path());
        Ok(command.output()?.status.success())
    }

    /// The program that cuts the power, ready to do it at once.
    pub fn switch(&self) -> Switch {
        let program = "import fcntl, os, struct, sys
folder = os.open(sys.argv[1], os.O_RDONLY)
print('ready', flush=True)
sys.stdin.readline()
fcntl.ioctl(folder, 0x8004587D, struct.pack('I', 2))";
        let mut command = Command::new("python3");
        command.args(["-c", program]).arg(self.path());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3 starts");
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        Switch { child: Mutex::new(child) }
    }

    /// Mounts a copy: another mount namespace of this machine may hold the file system that was
    /// shut down, and would give it to the next mount of the same file.
    pub fn mount_again(&self) {
        let unmounted = Command::new("umount").arg(self.path()).output().unwrap();
        assert!(unmounted.status.success(), "{}", String::from_utf8_lossy(&unmounted.stderr));
        let copy = self.folder.path().join("copy");
        fs::copy(self.image(), &copy).unwrap();
        fs::rename(&copy, self.image()).unwrap();
        assert!(self.mount().unwrap(), "the file system is mounted again");
    }

    /// Removes all its contents.
    pub fn clear(&self) {
        for entry in fs::read_dir(self.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::remove_file(path).unwrap();
            }
        }
    }

    /// Takes all the free room with a file; returns the file, which can be removed.
    pub fn fill(&self) -> PathBuf {
        let path = self.path().join("ballast");
        let file = File::create(&path).unwrap();
        // Large pieces first, then the gaps between them.
        let mut at = 0;
        for piece in [1 << 20, 4_096, 512] {
            let piece = vec![1; piece];
            while let Ok(count @ 1..) = file.write_at(&piece, at) {
                at += count as u64;
            }
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

/// The programs needed, and how to get them.
type Missing = (&'static str, &'static str);

/// Skips the test, and says so, if something is missing.
#[track_caller]
fn or_skip(disk: Result<Disk, Missing>) -> Option<Disk> {
    disk.map_err(|(needs, remedy)| skip(needs, remedy)).ok()
}

/// `EXT4_IOC_SHUTDOWN` without flushing the journal: from then on the file system writes nothing,
/// and unwritten data is lost.
pub struct Switch {
    child: Mutex<Child>,
}

impl Switch {
    /// Cuts the power now.
    pub fn cut(&self) {
        let mut child = self.child.lock().unwrap();
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success(), "the file system is shut down");
    }
}
