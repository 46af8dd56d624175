//! The report for machines.
use serde_json::{Value, json};

use super::{
    measure::Volume,
    report::{ComparedVolume, Figures, Report},
};
use crate::cli::page;

impl Report {
    /// For machines.
    pub fn json(&self) -> Value {
        let volume = |v: &Volume| json!({"events": v.events, "bytes": v.bytes});
        let figures = |f: &Figures| {
            json!({
                "configuration": f.name, "lines": f.lines, "sent": volume(&f.sent), "dropped": volume(&f.dropped),
                "events_per_second": {
                    "p50": f.rates.p50, "p95": f.rates.p95, "p99": f.rates.p99, "max": f.rates.max, "mean": f.rates.mean,
                },
                "bytes_per_day": f.bytes_a_day,
                "busiest_day": f.busiest_day.as_ref().map(|(day, bytes)| json!({"day": day, "bytes": bytes})),
                "kept_audit_changes": f.kept_audit_changes,
                "dropped_by_rule": f.rules.iter().map(|(rule, place, v)| json!({
                    "rule": rule, "place": place, "events": v.events, "bytes": v.bytes,
                })).collect::<Vec<_>>(),
            })
        };
        let rows = |rows: &[ComparedVolume]| -> Vec<Value> {
            rows.iter()
                .map(|r| json!({"name": r.name, "title": r.title, "baseline": volume(&r.old), "new": volume(&r.new)}))
                .collect()
        };
        json!({
            "evidence": page::evidence::json(&self.evidence),
            "captures": self.evidence.captures.iter().map(|c| format!("{}: {}", c.name, c.what)).collect::<Vec<_>>(),
            "read": self.read,
            "parked": self.parked,
            "without_time": self.without_time,
            "from": self.from_to.as_ref().map(|(f, _)| f),
            "to": self.from_to.as_ref().map(|(_, t)| t),
            "seconds": self.span,
            "active_seconds": self.active,
            "incomplete": self.incomplete,
            "warnings": self.warnings,
            "new": figures(&self.new),
            "baseline": figures(&self.old),
            "types": rows(&self.types),
            "effective_users": rows(&self.effective_users),
            "job_users": rows(&self.job_users),
            "blind_spots": self.blind_spots.iter().map(|s| json!({
                "kind": s.kind.name(), "what": s.what, "text": s.text, "levels": s.levels, "seen": s.counts.seen,
                "baseline": s.counts.old, "new": s.counts.new,
            })).collect::<Vec<_>>(),
            "off_in_both": self.off_in_both,
        })
    }
}
