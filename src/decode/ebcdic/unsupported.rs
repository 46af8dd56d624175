//! What to give instead of a CCSID that is not supported.
use super::SUPPORTED;

/// Where the right number stands.
const WHERE: &str = "DSPJOB OPTION(*DFNA) shows it of a job (default coded character set identifier), DSPSYSVAL QCCSID that of the system";

/// A sentence: what the number is, and what to give.
pub(super) fn advice(ccsid: u16) -> String {
    match ccsid {
        65535 => format!("65535 means no conversion: give the default CCSID of the jobs (DSPJOB, DFTCCSID); {WHERE}"),
        0 => format!("0 means the default and names no character set: give the CCSID of the jobs; {WHERE}"),
        1200 | 1208 | 13488 => {
            format!("{ccsid} is Unicode, and jobs run in EBCDIC: give the CCSID of the jobs; {WHERE}")
        }
        _ => {
            let near: Vec<String> = nearest(ccsid).iter().map(u16::to_string).collect();
            format!(
                "not an EBCDIC CCSID that is supported (docs/FORMATS.md lists them); the nearest is {}; {WHERE}",
                near.join(" or ")
            )
        }
    }
}

/// Those that a number may stand for: of its family (IBM numbers later forms of a code page 4096 apart), else its neighbours.
fn nearest(ccsid: u16) -> Vec<u16> {
    let family: Vec<u16> = SUPPORTED.iter().copied().filter(|n| *n != ccsid && n % 4096 == ccsid % 4096).collect();
    if !family.is_empty() {
        return family;
    }
    let below = SUPPORTED.iter().rfind(|n| **n < ccsid);
    let above = SUPPORTED.iter().find(|n| **n > ccsid);
    match (below, above) {
        (Some(b), Some(a)) if ccsid - b == a - ccsid => vec![*b, *a],
        (Some(b), Some(a)) if ccsid - b > a - ccsid => vec![*a],
        (Some(n), _) | (None, Some(n)) => vec![*n],
        (None, None) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f14_an_unknown_number_is_answered_with_what_to_give() {
        for (ccsid, expected) in [
            (65535, "default CCSID of the jobs"),
            (0, "CCSID of the jobs"),
            (1208, "is Unicode"),
            (274, "the nearest is 273;"),
            (275, "the nearest is 273 or 277;"),
            (4133, "the nearest is 37;"),
            (9122, "the nearest is 930 or 5026;"),
            (1, "the nearest is 37;"),
            (60000, "the nearest is"),
        ] {
            let said = advice(ccsid);
            assert!(said.contains(expected) && said.contains("QCCSID") && said.len() < 320, "{said}");
        }
    }
}
