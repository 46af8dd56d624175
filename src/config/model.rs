//! What shapes events, by output profile and configuration.
use super::Config;
use crate::{encode::Profile, event::model};

/// The options of the event model.
pub fn model_options(profile: &Profile, config: &Config, include_guesses: bool) -> model::Options {
    let p = profile;
    model::Options {
        include_guesses,
        severity: config.severity.clone(),
        failures: p.outcome.failure.clone(),
        omit: p.full.omit.clone(),
        foreign: model::Foreign {
            severity: p.foreign.severity,
            title_unknown: p.foreign.title_unknown.clone(),
            title_j: p.foreign.title_j.clone(),
            title_u: p.foreign.title_u.clone(),
            title_other: p.foreign.title_other.clone(),
        },
    }
}
