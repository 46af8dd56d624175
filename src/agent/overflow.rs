//! `spool.when_full = "drop_lowest_severity"`: what is refused when the room in the spool runs out.
//!
//! From nine tenths of the size on, entries are refused before they are stored, those of severity 0 first; with every
//! hundredth more, those of one severity more. Entries of `*SECURITY` and `*AUTFAIL` are never refused: for them, and for
//! severity 10, a full spool means that the source waits. What is stored is never touched.
use crate::{
    config::WhenFull,
    event::{Event, EventModel},
    filter::{RuleId, RulePattern, TypeRule, TypeRules, UnknownType, types::CompiledTypes},
};

/// What is never refused.
const KEPT: [&str; 2] = ["*SECURITY", "*AUTFAIL"];

/// Refuses entries when the spool is nearly full.
pub struct OverflowPolicy {
    kept: CompiledTypes,
    /// Severities below this are refused.
    below: u8,
}

impl OverflowPolicy {
    /// For a model; `None` where nothing is ever refused.
    pub fn new(model: &EventModel, when_full: WhenFull) -> Result<Option<OverflowPolicy>, UnknownType> {
        if when_full == WhenFull::Wait {
            return Ok(None);
        }
        let send = KEPT.map(|level| RulePattern { rule: RuleId(0), pattern: TypeRule::Level(level.to_owned()) });
        let rules = TypeRules { send: send.to_vec(), send_rule: Some(RuleId(0)), ..TypeRules::default() };
        Ok(Some(OverflowPolicy { kept: CompiledTypes::new(model, &rules)?, below: 0 }))
    }

    /// The spool has used this much of its size, 0 to 1.
    pub fn set_pressure(&mut self, used: f64) {
        let level = ((used - 0.9) * 100.0).floor();
        self.below = if level < 0.0 { 0 } else { level.min(9.0) as u8 + 1 };
    }

    /// The severity of an event that is refused.
    #[inline]
    pub fn sheds(&self, ev: &Event<'_>) -> Option<u8> {
        if self.below == 0 {
            return None;
        }
        let severity = ev.severity();
        (severity < self.below && self.kept.drops(ev).is_some()).then_some(severity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode::journal::Catalog, encode::Profile};

    #[test]
    fn the_fuller_the_spool_the_more_severities_are_refused_and_severity_10_never() {
        let catalog = std::sync::Arc::new(Catalog::with_folder(None).unwrap());
        let heading = catalog.heading(crate::decode::journal::HeadingKind::Type5).unwrap().clone();
        let profile = Profile::native().unwrap();
        let options = crate::config::model::model_options(&profile, &crate::config::Config::default(), false);
        let job = crate::decode::ebcdic::Charset::ebcdic(37).unwrap();
        let model = EventModel::new(catalog, heading, job, options);
        let mut overflow = OverflowPolicy::new(&model, WhenFull::DropLowestSeverity).unwrap().unwrap();
        let below = [0.0, 0.899, 0.905, 0.915, 0.955, 0.995, 1.2].map(|used| {
            overflow.set_pressure(used);
            overflow.below
        });
        assert_eq!(below, [0, 0, 1, 2, 6, 10, 10]);
    }
}
