//! Times as lines have them: in headers, and as text in JSON.
use crate::event::EntryTime;

/// The entry time with its offset (RFC 3339); `false` where there is none.
pub(super) fn put_rfc3339(time: Option<EntryTime>, out: &mut Vec<u8>) -> bool {
    let Some(t) = time else { return false };
    out.extend_from_slice(&t.local);
    put_offset(t.offset, out);
    true
}

#[inline]
fn put_offset(offset: i32, out: &mut Vec<u8>) {
    if offset == 0 {
        return out.push(b'Z');
    }
    let minutes = offset.unsigned_abs() / 60;
    let two = |n: u32| [b'0' + u8::try_from(n / 10 % 10).unwrap_or(0), b'0' + u8::try_from(n % 10).unwrap_or(0)];
    out.push(if offset < 0 { b'-' } else { b'+' });
    out.extend_from_slice(&two(minutes / 60));
    out.push(b':');
    out.extend_from_slice(&two(minutes % 60));
}

/// `Mmm dd hh:mm:ss` and a blank, the day padded with a blank (RFC 3164, section 4.1.2). RFC 3164 has no sign for an unknown
/// time, and a made-up one would date the event: without one the host follows at once, and receivers take the time of arrival.
pub(super) fn put_bsd_time(time: Option<EntryTime>, out: &mut Vec<u8>) {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let Some(EntryTime { local, .. }) = time else { return };
    let [_, _, _, _, _, m1, m2, _, d1, d2, _, rest @ ..] = local;
    let month = usize::from(m1.wrapping_sub(b'0')) * 10 + usize::from(m2.wrapping_sub(b'0'));
    out.extend_from_slice(MONTHS.get(month.wrapping_sub(1)).map_or(b"Jan", |m| *m));
    out.push(b' ');
    out.push(if d1 == b'0' { b' ' } else { d1 });
    out.push(d2);
    out.push(b' ');
    out.extend(rest.iter().take(8));
    out.push(b' ');
}
