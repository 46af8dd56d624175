//! The report for machines: one object, described in docs/REPORT.md.
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    changes::{Change, Changes},
    result::{ROWS, Report},
    signon::{BURSTS, Common},
    span::Span,
    top::{Counted, Few, Top},
};
use crate::{
    cli::page::{evidence, words::iso},
    filter::names::Key,
};

/// All of it.
pub fn json(r: &Report<'_>) -> Value {
    let c = &r.c;
    let filtered = r.filtered();
    let types = c.by_type.iter().enumerate().filter(|(_, n)| **n > 0);
    json!({
        "evidence": evidence::json(&r.evidence),
        "user": r.args.user.as_ref().map(ToString::to_string),
        "timezone": r.args.heading_args.zone().name(),
        "sums": {
            "read": r.stats.read,
            "reported": c.reported,
            "filtered": filtered.iter().map(|(_, n)| n).sum::<u64>(),
            "filtered_by_rule": filtered.iter().map(|(rule, n)| json!({"rule": rule, "entries": n})).collect::<Vec<_>>(),
            "not_of_user": c.others,
            "parked": r.stats.parked,
            "parked_by_reason": r.stats.parked_by,
        },
        "incomplete": r.stats.incomplete,
        "overlong_records": r.stats.overlong,
        "without_time": c.without_time,
        "warnings": r.stats.warnings,
        "types": types.map(|(i, n)| json!({
            "code": c.types.get(i).map(|t| &t.0), "title": c.types.get(i).map(|t| &t.1), "entries": n,
        })).collect::<Vec<_>>(),
        "hours": c.by_hour,
        "users": users(r),
        "sign_on_failures": failures(r),
        "privilege_changes": changes(&c.privileges),
        "other_user": acting(r),
        "audit_changes": changes(&c.auditing),
        "gaps": gaps(r),
        "time_line": r.args.user.as_ref().map(|_| json!({
            "total": c.line.1,
            "rows": c.line.0.iter().map(change).collect::<Vec<_>>(),
        })),
    })
}

/// A bounded table: how many rows are known, whether that are all and their counts exact, and the first of them.
fn table<K, V>(top: &Top<K, V>, rows: Vec<Value>) -> Value
where
    K: std::hash::Hash + Eq + Clone,
    V: Default,
{
    json!({"known": top.len(), "exact": top.is_exact(), "rows": rows})
}

/// A row with its count, and what may be missing of it, and its first and last time.
fn row<V>(counted: &Counted<V>, span: &Span, more: Value) -> Value {
    let mut row = json!({
        "entries": counted.count, "may_be_missing": counted.missed,
        "first": span.first.as_ref().map(iso), "last": span.last.as_ref().map(iso),
    });
    if let (Some(row), Value::Object(more)) = (row.as_object_mut(), more) {
        row.extend(more);
    }
    row
}

fn users(r: &Report<'_>) -> Value {
    let rows = r.user_rows();
    let rows = rows.iter().map(|(name, key, counted)| {
        let a = &counted.value;
        let types: BTreeMap<String, u64> = a.types.iter().map(|(i, n)| (r.code(*i), *n)).collect();
        let more = json!({
            "name": name, "tags": r.tags(**key), "effective": a.effective, "job": a.job, "types": types,
        });
        row(counted, &a.span, more)
    });
    table(&r.c.users, rows.collect())
}

fn failures(r: &Report<'_>) -> Value {
    let f = &r.c.failures;
    let attempts = f.attempts.sorted(|a| r.attempt(a));
    let attempts = attempts.iter().take(ROWS).map(|(_, a, counted)| {
        let more = json!({
            "user": a.user.map(|u| r.name(u)), "remote_address": r.bytes(&a.address), "kind": r.bytes(&a.code),
        });
        row(counted, &counted.value, more)
    });
    let bursts = f.bursts().iter().take(BURSTS).map(|b| {
        let (user, address) = match &b.of {
            Common::User(u) => (Some(r.name(*u)), None),
            Common::Address(a) => (None, Some(r.bytes(a))),
        };
        json!({
            "user": user, "remote_address": address, "entries": b.count, "tried": b.others, "more_tried": b.more_others,
            "first": b.span.first.as_ref().map(iso), "last": b.span.last.as_ref().map(iso),
        })
    });
    json!({
        "total": f.total,
        "by_kind": f.codes.iter().map(|(code, n)| json!({
            "kind": r.bytes(code), "meaning": r.c.meanings.get(code), "entries": n,
        })).collect::<Vec<_>>(),
        "bursts": {"total": f.burst_count, "exact": !f.may_miss_bursts(), "rows": bursts.collect::<Vec<_>>()},
        "attempts": table(&f.attempts, attempts.collect()),
    })
}

fn changes(changes: &Changes) -> Value {
    json!({
        "total": changes.total(),
        "by_type": changes.0.iter().map(|(code, t)| (code.clone(), t.total)).collect::<BTreeMap<_, _>>(),
        "rows": changes.kept().into_iter().map(change).collect::<Vec<_>>(),
    })
}

fn change(c: &Change) -> Value {
    json!({
        "time": c.time.as_ref().map(iso), "receiver_library": c.place.library, "receiver": c.place.receiver,
        "sequence": c.place.sequence, "type": c.code, "what": c.words, "effective_user": c.effective, "job_user": c.job,
        "subject": c.subject, "before": c.before, "now": c.after,
    })
}

fn acting(r: &Report<'_>) -> Value {
    let few = |few: &Few<Key>| {
        let names = few.sorted();
        let names = names.iter().map(|(key, n)| json!({"name": r.name(*key), "entries": n}));
        json!({"names": names.collect::<Vec<_>>(), "others": few.others})
    };
    let rows = r.c.acting.sorted(|(effective, job)| format!("{} {}", r.name(*effective), r.name(*job)));
    let rows = rows.iter().take(ROWS).map(|(_, (effective, job), counted)| {
        let more = json!({
            "effective_user": r.name(*effective), "job_user": r.name(*job),
            "programs": few(&counted.value.programs), "jobs": few(&counted.value.jobs),
        });
        row(counted, &counted.value.span, more)
    });
    let mut all = table(&r.c.acting, rows.collect());
    all["total"] = json!(r.c.differ);
    all
}

fn gaps(r: &Report<'_>) -> Value {
    let (q, receivers) = (&r.c.sequence, &r.c.receivers);
    json!({
        "gaps": q.gaps,
        "numbers_missing": q.missing,
        "steps_back": q.back,
        "named": q.named.iter().take(ROWS).collect::<Vec<_>>(),
        "receivers": receivers.kept.iter().map(|r| json!({
            "system": r.system, "receiver": r.name, "entries": r.entries, "lowest": r.numbers.0, "highest": r.numbers.1,
        })).collect::<Vec<_>>(),
        "entries_of_other_receivers": receivers.others,
        "parked": r.stats.parked_first,
    })
}
