//! Which receivers are delivered: every entry that the agent reads of them has been taken by every output.
//!
//! The chain is the system's, the position the spool's. A receiver that may be deleted is detached and lies wholly behind that
//! position. Whatever is not known counts against it: nothing that was not delivered may be deleted.
use std::path::Path;

use serde::Serialize;

use super::answers::Listed;
use crate::{
    source::live::news::TailPlace,
    spool::{SpoolError, inspect::Inspector, positions::PositionFile},
};

/// Where a source is delivered to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The last entry that every output has taken, and all before it; `None` where nothing is, with the reason.
    pub place: Result<TailPlace, String>,
}

/// What is to be said about a receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReceiverReport {
    /// LIBRARY/NAME.
    pub receiver: String,
    /// Numbers of its first and last entry.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// As the system has it: ATTACHED, ONLINE, SAVED, ...
    pub status: String,
    /// It is written to.
    pub attached: bool,
    /// Every entry was taken by every output.
    pub delivered: bool,
    /// It is delivered and detached.
    pub may_be_deleted: bool,
    /// Why, in words.
    pub why: String,
    /// Commands that save and delete it.
    pub commands: Vec<String>,
}

/// Looks into a spool, without writing. `outputs` are those of the configuration.
pub fn delivered(state_dir: &Path, source: &str, outputs: &[&str]) -> Result<Delivered, SpoolError> {
    let spool = Inspector::open(&state_dir.join("spool.db"))?;
    // In this order: what was read before nothing waited is delivered.
    let read = spool.sources()?.into_iter().find(|s| s.name == source).map(|s| s.position);
    let known = spool.outputs()?;
    let new: Vec<&str> = outputs.iter().copied().filter(|o| !known.contains_key(*o)).collect();
    let no = |why: String| Ok(Delivered { place: Err(why) });
    if known.is_empty() || !new.is_empty() {
        return no(format!("the spool does not know the output {}: it has taken nothing yet", new.join(", ")));
    }
    let mut waiting = 0;
    for cursor in known.values() {
        waiting += spool.waiting(*cursor)?.0;
    }
    let position = if waiting == 0 {
        read
    } else {
        PositionFile::open(state_dir).positions().get(source).map(|p| p.position.clone())
    };
    let Some(position) = position else {
        return no(match waiting {
            0 => format!("the spool has no position of source {source}: nothing was read yet"),
            n => format!("{n} events wait, and none before them is known to be delivered"),
        });
    };
    let place: Result<TailPlace, _> = serde_json::from_str(&position);
    let place = place.map_err(|e| format!("the position of source {source} is none of a live system: {e}"));
    // A source may have read the history log alone so far.
    let place = place.and_then(|p| {
        let nothing = || format!("source {source} has delivered nothing of the journal yet");
        if p.at.receiver.is_empty() { Err(nothing()) } else { Ok(p) }
    });
    Ok(Delivered { place })
}

/// What may be deleted. The chain is oldest first.
pub fn report(chain: &[Listed], attached: Option<&(String, String)>, delivered: &Delivered) -> Vec<ReceiverReport> {
    let here = delivered.place.as_ref().ok().and_then(|p| chain.iter().position(|l| l.receiver.holds(&p.at)));
    chain.iter().enumerate().map(|(n, listed)| one(n, listed, attached, delivered, here)).collect()
}

fn one(
    n: usize,
    listed: &Listed,
    attached: Option<&(String, String)>,
    delivered: &Delivered,
    here: Option<usize>,
) -> ReceiverReport {
    let r = &listed.receiver;
    let is_attached =
        listed.status == "ATTACHED" || attached.is_none_or(|(library, name)| *library == r.library && *name == r.name);
    let (is_delivered, why) = match (&delivered.place, here) {
        (Err(why), _) => (false, why.clone()),
        (Ok(place), None) => (
            false,
            format!(
                "the receiver of the last delivered entry, {}, is not in the chain: it is not known what was read",
                place.at
            ),
        ),
        (Ok(place), Some(here)) => match n.cmp(&here) {
            std::cmp::Ordering::Less => (true, format!("delivered: the agent is at {}", place.at)),
            std::cmp::Ordering::Equal if place.at.sequence >= r.last => {
                (true, "delivered to its last entry".to_owned())
            }
            std::cmp::Ordering::Equal => (false, format!("delivered up to {} of {}", place.at.sequence, r.last)),
            std::cmp::Ordering::Greater => (false, format!("not read: the agent is at {}", place.at)),
        },
    };
    let may = is_delivered && !is_attached;
    let mut commands = Vec::new();
    if may {
        let (library, name) = (&r.library, &r.name);
        if !listed.status.contains("SAVED") {
            commands.push(format!(
                "SAVOBJ OBJ({name}) LIB({library}) DEV(DEVICE) OBJTYPE(*JRNRCV)   /* the device of your backups */"
            ));
        }
        commands.push(format!("DLTJRNRCV JRNRCV({library}/{name})"));
    }
    ReceiverReport {
        receiver: format!("{}/{}", r.library, r.name),
        first: r.first,
        last: r.last,
        status: listed.status.clone(),
        attached: is_attached,
        delivered: is_delivered,
        may_be_deleted: may,
        why: if is_attached { format!("attached; {why}") } else { why },
        commands,
    }
}

/// Whether something that is detached may not be deleted yet.
pub fn something_waits(reports: &[ReceiverReport]) -> bool {
    reports.iter().any(|r| !r.delivered && !r.attached)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{live::receivers::Receiver, receiver_chain::JournalPlace};

    fn chain() -> Vec<Listed> {
        let one = |n: u64, status: &str| Listed {
            receiver: Receiver {
                library: "QGPL".into(),
                name: format!("AUDRCV000{n}"),
                first: n * 100,
                last: n * 100 + 99,
                attached: format!("2026-01-0{n}"),
            },
            status: status.to_owned(),
        };
        vec![one(1, "SAVED"), one(2, "ONLINE"), one(3, "ONLINE"), one(4, "ATTACHED")]
    }

    fn at(receiver: &str, sequence: u64) -> Delivered {
        let at = JournalPlace { library: "QGPL".into(), receiver: receiver.into(), sequence };
        Delivered { place: Ok(TailPlace { at, attached: String::new() }) }
    }

    fn may(delivered: &Delivered) -> Vec<bool> {
        let attached = ("QGPL".to_owned(), "AUDRCV0004".to_owned());
        report(&chain(), Some(&attached), delivered).iter().map(|r| r.may_be_deleted).collect()
    }

    #[test]
    fn what_lies_behind_the_position_may_be_deleted_and_nothing_else() {
        assert_eq!(may(&at("AUDRCV0003", 350)), [true, true, false, false]);
        assert_eq!(may(&at("AUDRCV0003", 399)), [true, true, true, false]);
        assert_eq!(may(&at("AUDRCV0004", 499)), [true, true, true, false]);
        assert_eq!(may(&at("AUDRCV0001", 100)), [false; 4]);
        // A receiver that is gone, or nothing at all.
        assert_eq!(may(&at("AUDRCV0009", 1)), [false; 4]);
        assert_eq!(may(&Delivered { place: Err("nothing was read yet".into()) }), [false; 4]);
        // Which is attached is not known: none.
        assert!(report(&chain(), None, &at("AUDRCV0004", 499)).iter().all(|r| !r.may_be_deleted));
    }

    #[test]
    fn a_saved_receiver_is_not_saved_again() {
        let attached = ("QGPL".to_owned(), "AUDRCV0004".to_owned());
        let found = report(&chain(), Some(&attached), &at("AUDRCV0004", 450));
        assert_eq!(found[0].commands, ["DLTJRNRCV JRNRCV(QGPL/AUDRCV0001)"]);
        assert!(found[1].commands[0].starts_with("SAVOBJ OBJ(AUDRCV0002) LIB(QGPL)"));
        assert!(!something_waits(&found) && found[3].commands.is_empty());
        assert!(something_waits(&report(&chain(), Some(&attached), &at("AUDRCV0002", 250))));
    }
}
