//! Credentials that systemd hands to a service (`LoadCredential=`), written `credential:NAME`: the file NAME in
//! `$CREDENTIALS_DIRECTORY`. Nothing of what one holds gets into a message.
use std::{
    env,
    path::{Path, PathBuf},
};

use crate::files::read_regular;

/// How one is written.
pub const PREFIX: &str = "credential:";

/// Bytes of one that is a value, at most.
const MOST: u64 = 64 << 10;

/// The name in `credential:NAME`, or what is wrong with it; `None` for any other text.
pub fn name(text: &str) -> Option<Result<&str, String>> {
    let name = text.strip_prefix(PREFIX)?;
    let is_wrong = name.is_empty() || name.contains(['/', '\0']) || matches!(name, "." | "..");
    Some(if is_wrong {
        Err(format!("{text:?}: expected credential:NAME, the name of a file below $CREDENTIALS_DIRECTORY"))
    } else {
        Ok(name)
    })
}

/// Where it is.
pub fn path(name: &str) -> Result<PathBuf, String> {
    match env::var_os("CREDENTIALS_DIRECTORY") {
        Some(folder) => Ok(Path::new(&folder).join(name)),
        None => Err(
            "$CREDENTIALS_DIRECTORY is not set: credentials are for a service that systemd starts with LoadCredential="
                .to_owned(),
        ),
    }
}

/// What it holds as a text, without the end of its last line.
pub fn value(name: &str) -> Result<String, String> {
    let path = path(name)?;
    let bytes = read_regular(&path, MOST).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut text = String::from_utf8(bytes).map_err(|_| format!("{}: expected a text in UTF-8", path.display()))?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.contains('\0') {
        return Err(format!("{}: expected a text without NUL characters", path.display()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_a_name_and_never_a_way_out_of_its_folder() {
        assert_eq!(name("/etc/x.pem"), None);
        assert_eq!(name("credential:siem.key"), Some(Ok("siem.key")));
        for wrong in ["credential:", "credential:..", "credential:../x", "credential:/etc/passwd", "credential:a\0"] {
            assert!(name(wrong).unwrap().unwrap_err().contains("credential:NAME"), "{wrong}");
        }
    }
}
