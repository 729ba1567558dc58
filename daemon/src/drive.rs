//! Whether the home lies on a drive of this machine. On a network drive or a folder shared with another system, locks and
//! the memory that the database shares between its connections may not work, and what was stored can be lost.
//! Looks at the path only; changes nothing. Known on Linux; elsewhere every drive counts as one of this machine.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
#[error(
    "the home {home} lies on a network drive or a shared folder ({kind}), where what is stored is not safe; set CODEXCP_HOME \
     to a folder on a drive of this machine, or set state.network_drive (CODEXCP_NETWORK_DRIVE=1) if it keeps locks and memory maps"
)]
pub(crate) struct NetworkDrive {
    home: PathBuf,
    kind: &'static str,
}

/// `allowed`: the configuration takes the risk.
pub(crate) fn refuse_network(home: &Path, allowed: bool) -> Result<(), NetworkDrive> {
    refuse(home, magic(home), allowed)
}

fn refuse(home: &Path, magic: Option<u32>, allowed: bool) -> Result<(), NetworkDrive> {
    match magic.and_then(kind) {
        Some(kind) if !allowed => Err(NetworkDrive { home: home.to_path_buf(), kind }),
        Some(_) | None => Ok(()),
    }
}

/// Numbers of file systems as Linux names them in `linux/magic.h` and in their own sources.
fn kind(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => "SMB",
        0x6573_5546 => "FUSE",
        0x0102_1997 => "9P",
        0x00C3_6400 => "Ceph",
        0x5346_414F | 0x6B41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x0BD0_0BD0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        0x0116_1970 => "GFS2",
        0x7461_636F => "OCFS2",
        0x786F_4256 => "VirtualBox",
        0xBACB_ACBC => "VMware",
        0x7C7C_6673 => "Parallels",
        _ => return None,
    })
}

/// Of the nearest folder that exists: the home is made there.
#[cfg(target_os = "linux")]
fn magic(home: &Path) -> Option<u32> {
    fail::fail_point!("drive.magic", |magic| magic.and_then(|text| text.parse().ok()));
    let known = home.ancestors().find_map(|folder| rustix::fs::statfs(folder).ok())?;
    u32::try_from(known.f_type & 0xFFFF_FFFF).ok()
}

#[cfg(not(target_os = "linux"))]
fn magic(_home: &Path) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const NFS: u32 = 0x6969;
    const EXT4: u32 = 0xEF53;

    #[test]
    fn a_home_on_a_network_drive_is_refused_with_what_to_do() {
        let refused = refuse(Path::new("/mnt/team/codexcp"), Some(NFS), false).unwrap_err().to_string();
        for word in ["/mnt/team/codexcp", "NFS", "CODEXCP_HOME", "state.network_drive"] {
            assert!(refused.contains(word), "{refused}");
        }
        for magic in [0xFF53_4D42, 0xFE53_4D42, 0x6573_5546, 0x0102_1997] {
            assert!(refuse(Path::new("/mnt"), Some(magic), false).is_err());
        }
    }

    #[test]
    fn a_home_on_a_drive_of_this_machine_or_one_that_the_owner_vouches_for_is_taken() {
        assert!(refuse(Path::new("/home"), Some(EXT4), false).is_ok());
        assert!(refuse(Path::new("/home"), None, false).is_ok());
        assert!(refuse(Path::new("/mnt"), Some(NFS), true).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_is_not_there_yet_is_judged_by_the_one_it_will_be_made_in() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(magic(&folder.path().join("not/there")), magic(folder.path()));
        assert!(magic(folder.path()).is_some());
    }
}
