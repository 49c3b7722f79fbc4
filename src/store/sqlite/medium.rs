//! On what kind of file system a database lies, where that limits what `OK` can mean.

use std::path::Path;

use rustix::fs::statfs;

/// A file system that does not keep what was synced as a disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// Memory: everything is gone when the machine stops.
    Memory(&'static str),
    /// Another machine, or a program: locks, syncs and shared memory are as good as theirs.
    Remote(&'static str),
}

impl Medium {
    /// That of the file system that a path is on. `None` for all others, and where it cannot be
    /// told.
    pub fn of(path: &Path) -> Option<Self> {
        // The type of the number depends on the machine; all of them have 32 bits.
        Self::of_magic(statfs(path).ok()?.f_type as u32)
    }

    /// By the number that the system has for a kind (`linux/magic.h`).
    fn of_magic(magic: u32) -> Option<Self> {
        Some(match magic {
            0x0102_1994 => Self::Memory("tmpfs"),
            0x8584_58f6 => Self::Memory("ramfs"),
            0x0000_6969 => Self::Remote("NFS"),
            0x0000_517b | 0xfe53_4d42 | 0xff53_4d42 => Self::Remote("SMB"),
            0x0102_1997 => Self::Remote("9p"),
            0x6573_5546 => Self::Remote("FUSE"),
            0x00c3_6400 => Self::Remote("Ceph"),
            0x5346_414f | 0x6b41_4653 => Self::Remote("AFS"),
            0x0bd0_0bd0 => Self::Remote("Lustre"),
            0x786f_4256 => Self::Remote("vboxsf"),
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory(name) | Self::Remote(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_memory_or_elsewhere_is_told_from_disks() {
        let (ext4, btrfs, overlay) = (0xef53, 0x9123_683e, 0x794c_7630);
        for disk in [ext4, btrfs, overlay] {
            assert_eq!(Medium::of_magic(disk), None);
        }
        assert_eq!(Medium::of_magic(0x0102_1994), Some(Medium::Memory("tmpfs")));
        assert_eq!(Medium::of_magic(0x6969), Some(Medium::Remote("NFS")));
        // Magic numbers of 32 bits are negative where the type is a signed one of as many.
        assert_eq!(Medium::of_magic(-0x00ac_b2be_i32 as u32), Some(Medium::Remote("SMB")));
    }
}
