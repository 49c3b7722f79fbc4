//! The kind of file system that holds a path, where that limits what `OK` can mean.

use std::path::Path;

use rustix::fs::statfs;

use crate::system::Medium;

/// See [`Medium::of`].
pub(in crate::system) fn of(path: &Path) -> Option<Medium> {
    // The type of the number depends on the machine; all of them have 32 bits.
    of_magic(statfs(path).ok()?.f_type as u32)
}

/// The medium that a magic number of `linux/magic.h` stands for.
fn of_magic(magic: u32) -> Option<Medium> {
    Some(match magic {
        0x0102_1994 => Medium::Memory("tmpfs"),
        0x8584_58f6 => Medium::Memory("ramfs"),
        0x0000_6969 => Medium::Remote("NFS"),
        0x0000_517b | 0xfe53_4d42 | 0xff53_4d42 => Medium::Remote("SMB"),
        0x0102_1997 => Medium::Remote("9p"),
        0x6573_5546 => Medium::Remote("FUSE"),
        0x00c3_6400 => Medium::Remote("Ceph"),
        0x5346_414f | 0x6b41_4653 => Medium::Remote("AFS"),
        0x0bd0_0bd0 => Medium::Remote("Lustre"),
        0x786f_4256 => Medium::Remote("vboxsf"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_memory_or_elsewhere_is_told_from_disks() {
        let (ext4, btrfs, overlay) = (0xef53, 0x9123_683e, 0x794c_7630);
        for disk in [ext4, btrfs, overlay] {
            assert_eq!(of_magic(disk), None);
        }
        assert_eq!(of_magic(0x0102_1994), Some(Medium::Memory("tmpfs")));
        assert_eq!(of_magic(0x6969), Some(Medium::Remote("NFS")));
        // Magic numbers of 32 bits are negative where the type is a signed one of as many.
        assert_eq!(of_magic(-0x00ac_b2be_i32 as u32), Some(Medium::Remote("SMB")));
    }
}
