//! SHA-256 and hexadecimal text.
use ring::digest::{SHA256, digest};

/// SHA-256.
pub type Hash = [u8; 32];

/// SHA-256 of some bytes.
pub fn checksum(bytes: &[u8]) -> Hash {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, bytes).as_ref());
    sum
}

/// Bytes as hexadecimal text.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = Vec::with_capacity(bytes.len() * 2);
    put_hex(bytes, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Lower-case hexadecimal.
pub fn put_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    out.extend(
        bytes.iter().flat_map(|b| [b >> 4, b & 15].map(|d| DIGITS.get(usize::from(d)).copied().unwrap_or(b'?'))),
    );
}
