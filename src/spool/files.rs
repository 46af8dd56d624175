//! The files of a state: their modes, what goes by a path, and the reserve.
use std::{fs, path::Path};

/// Bytes kept back so that deletes still work when the disk is full.
const RESERVE: u64 = 16 << 20;

/// Device and inode of what goes by a path.
pub(super) fn inode(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

/// Makes a file or folder the agent's own.
pub(super) fn private(path: &Path, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Makes the reserve, where there is room for it.
pub(super) fn reserve(folder: &Path) -> std::io::Result<()> {
    let path = folder.join("reserve");
    if fs::metadata(&path).is_ok_and(|m| m.len() == RESERVE) {
        return Ok(());
    }
    // Written, not only sized: a file of holes keeps no room.
    let written = fs::write(&path, vec![0u8; usize::try_from(RESERVE).unwrap_or(0)]);
    match written {
        Err(_) => fs::remove_file(&path).or(Ok(())),
        Ok(()) => private(&path, 0o600),
    }
}
