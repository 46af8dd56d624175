//! The sections of the report: what the terminal and the page show, in order.
use super::{
    changes::{Change, Changes, KEPT},
    collect::{Acting, Activity},
    document::{Section, Set, Table},
    result::{ROWS, Report},
    signon::{Attempt, Common, LEAST, PAUSE},
    span::Span,
    top::{Counted, Few},
};
use crate::{cli::page::words::local, event::EntryTime, filter::names::Key, log::numbers::grouped};

impl Report<'_> {
    /// All sections, in order.
    pub fn sections(&self) -> Vec<Section> {
        let mut all = vec![self.users(), self.failures()];
        all.push(self.changes(
            "privileges",
            "Privilege changes",
            &self.c.privileges,
            "CP that name special authorities, user class or groups; CA, OW, PA and PG. What was before is told where the entry holds it; a blank in a CP entry means not changed.",
        ));
        all.push(self.acting());
        all.push(self.changes(
            "auditing",
            "Changes to auditing",
            &self.c.auditing,
            "AD of audit values, SV of QAUD* and QCRTOBJAUD, CP of *AUDIT, CA, DO, OM and OW of QAUDJRN or a receiver, entries of journal code J; and ST, the use of service tools.",
        ));
        all.push(self.gaps());
        if self.args.user.is_some() {
            all.push(self.time_line());
        }
        all
    }

    fn users(&self) -> Section {
        let mut s = Section::new("users", "Activity by user");
        s.notes.push(
            "By either name: an entry counts for its effective user and for the user of its job, once where they are the same."
                .to_owned(),
        );
        s.notes.extend(self.c.users.note("users"));
        let rows = self.user_rows();
        let total = self.c.users.len() as u64;
        let row = |(name, key, row): &(String, &Key, &Counted<Activity>)| {
            let a = &row.value;
            vec![
                name.clone(),
                self.tags(**key).join(", "),
                count(row),
                grouped(a.effective),
                grouped(a.job),
                self.types(&a.types),
                edge(a.span.first),
                edge(a.span.last),
            ]
        };
        let rows = rows.iter().map(row).collect();
        let columns = [
            ("user", Set::Word),
            ("known as", Set::Text),
            ("entries", Set::Number),
            ("effective", Set::Number),
            ("job user", Set::Number),
            ("types", Set::Text),
            ("first", Set::Word),
            ("last", Set::Word),
        ];
        s.tables.push(Table { total, ..Table::new("", &columns, rows) });
        s
    }

    /// Types with their counts, most first.
    fn types(&self, types: &std::collections::BTreeMap<usize, u64>) -> String {
        let mut all: Vec<_> = types.iter().map(|(i, n)| (self.code(*i), *n)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let mut told: Vec<String> = all.iter().take(4).map(|(code, n)| format!("{code} {}", grouped(*n))).collect();
        if all.len() > told.len() {
            told.push(format!("{} more", all.len() - told.len()));
        }
        told.join(", ")
    }

    fn failures(&self) -> Section {
        let f = &self.c.failures;
        let mut s = Section::new("failures", "Sign-on failures");
        s.notes.push(match f.total {
            0 => "None: no PW entries.".to_owned(),
            n => format!("{} PW entries.", grouped(n)),
        });
        s.notes.extend(f.attempts.note("combinations of user, address and kind"));
        if f.may_miss_bursts() {
            s.notes.push(
                "More addresses or users failed at the same time than are followed: bursts may be missing.".to_owned(),
            );
        }
        if f.total == 0 {
            return s;
        }
        let mut codes: Vec<_> = f.codes.iter().collect();
        codes.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        let rows = codes.iter().map(|(code, n)| {
            vec![self.bytes(code), self.c.meanings.get(*code).cloned().unwrap_or_default(), grouped(**n)]
        });
        let columns = [("kind", Set::Word), ("meaning", Set::Text), ("entries", Set::Number)];
        s.tables.push(Table::new("By kind", &columns, rows.collect()));
        let rows = f.bursts().iter().map(|b| {
            let (of, others) = match &b.of {
                Common::Address(a) => (format!("address {}", self.bytes(a)), "users"),
                Common::User(u) => (format!("user {}", self.name(*u)), "addresses"),
            };
            let more = if b.more_others { "more than " } else { "" };
            vec![of, grouped(b.count), format!("{more}{} {others}", b.others), edge(b.span.first), edge(b.span.last)]
        });
        let title = format!("Bursts: {LEAST} or more of one address or user, at most {PAUSE} s apart");
        let columns = [
            ("of", Set::Text),
            ("entries", Set::Number),
            ("tried", Set::Text),
            ("first", Set::Word),
            ("last", Set::Word),
        ];
        s.tables.push(Table { total: f.burst_count, ..Table::new(&title, &columns, rows.collect()) });
        let rows = f.attempts.sorted(|a| self.attempt(a));
        let total = rows.len() as u64;
        let row = |(_, a, row): &(String, &Attempt, &Counted<Span>)| {
            vec![
                a.user.map_or("(none)".to_owned(), |u| self.name(u)),
                self.bytes(&a.address),
                self.bytes(&a.code),
                count(row),
                edge(row.value.first),
                edge(row.value.last),
            ]
        };
        let columns = [
            ("user", Set::Word),
            ("remote address", Set::Text),
            ("kind", Set::Word),
            ("entries", Set::Number),
            ("first", Set::Word),
            ("last", Set::Word),
        ];
        let rows = rows.iter().take(ROWS).map(row).collect();
        s.tables.push(Table { total, ..Table::new("By user, remote address and kind", &columns, rows) });
        s
    }

    fn changes(&self, id: &'static str, title: &str, changes: &Changes, what: &str) -> Section {
        let mut s = Section::new(id, title);
        s.notes.push(what.to_owned());
        let by_type: Vec<String> = changes.0.iter().map(|(t, n)| format!("{t} {}", grouped(n.total))).collect();
        s.notes.push(if by_type.is_empty() { "None.".to_owned() } else { format!("{}.", by_type.join(", ")) });
        if changes.0.values().any(|t| t.total > t.kept.len() as u64) {
            s.notes.push(format!("Of each type the first {KEPT} are listed; the counts are of all."));
        }
        let rows: Vec<_> = changes
            .kept()
            .iter()
            .map(|c| {
                vec![
                    when(c),
                    c.code.clone(),
                    who(c),
                    c.subject.clone(),
                    c.before.clone(),
                    if c.after.is_empty() { c.words.clone() } else { c.after.clone() },
                ]
            })
            .collect();
        let columns = [
            ("time, entry", Set::Text),
            ("type", Set::Word),
            ("by", Set::Text),
            ("of", Set::Text),
            ("before", Set::Text),
            ("now", Set::Text),
        ];
        if !rows.is_empty() {
            s.tables.push(Table { total: changes.total(), ..Table::new("", &columns, rows) });
        }
        s
    }

    fn acting(&self) -> Section {
        let mut s = Section::new("acting", "Effective user and job user differ");
        s.notes.push(match self.c.differ {
            0 => "None: in every entry both are the same, or one is missing.".to_owned(),
            n => format!("{} entries.", grouped(n)),
        });
        s.notes.extend(self.c.acting.note("pairs"));
        let rows = self.c.acting.sorted(|(effective, job)| format!("{} {}", self.name(*effective), self.name(*job)));
        let total = rows.len() as u64;
        let row = |(_, (effective, job), row): &(String, &(Key, Key), &Counted<Acting>)| {
            let a = &row.value;
            vec![
                self.name(*effective),
                self.name(*job),
                count(row),
                edge(a.span.first),
                edge(a.span.last),
                self.few(&a.programs),
                self.few(&a.jobs),
            ]
        };
        let columns = [
            ("effective", Set::Word),
            ("job user", Set::Word),
            ("entries", Set::Number),
            ("first", Set::Word),
            ("last", Set::Word),
            ("programs", Set::Text),
            ("jobs", Set::Text),
        ];
        if total > 0 {
            let rows = rows.iter().take(ROWS).map(row).collect();
            s.tables.push(Table { total, ..Table::new("", &columns, rows) });
        }
        s
    }

    fn few(&self, few: &Few<Key>) -> String {
        let mut all: Vec<String> =
            few.sorted().iter().map(|(key, n)| format!("{} {}", self.name(*key), grouped(*n))).collect();
        if few.others > 0 {
            all.push(format!("others {}", grouped(few.others)));
        }
        all.join(", ")
    }

    fn gaps(&self) -> Section {
        let mut s = Section::new("gaps", "Gaps and parked records");
        let q = &self.c.sequence;
        s.notes.push(match q.gaps + q.back {
            0 => "Sequence: no gaps.".to_owned(),
            _ => format!(
                "Sequence: {} gaps ({} numbers missing; hidden internal entries make gaps too), {} steps back.",
                grouped(q.gaps),
                grouped(q.missing),
                grouped(q.back)
            ),
        });
        s.notes.push(match self.stats.parked {
            0 => "Parked: no records.".to_owned(),
            n => format!("Parked: {} records that are no entries.", grouped(n)),
        });
        let rows = self.c.receivers.kept.iter().map(|r| {
            vec![
                r.system.clone(),
                if r.name.is_empty() { "(none)".to_owned() } else { r.name.clone() },
                grouped(r.entries),
                r.numbers.0.to_string(),
                r.numbers.1.to_string(),
            ]
        });
        if self.c.receivers.others > 0 {
            s.notes.push(format!("{} entries are of receivers that are not listed.", grouped(self.c.receivers.others)));
        }
        let columns = [
            ("system", Set::Word),
            ("receiver", Set::Text),
            ("entries read", Set::Number),
            ("lowest number", Set::Number),
            ("highest number", Set::Number),
        ];
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            s.tables.push(Table::new("Receivers", &columns, rows));
        }
        let one = |text: &String| vec![text.clone()];
        if !q.named.is_empty() {
            let rows = q.named.iter().take(ROWS).map(one).collect();
            let gaps = Table::new("Gaps", &[("gap", Set::Text)], rows);
            s.tables.push(Table { total: q.gaps + q.back, ..gaps });
        }
        if !self.stats.parked_first.is_empty() {
            let rows = self.stats.parked_first.iter().map(one).collect();
            let parked = Table::new("Parked records", &[("record", Set::Text)], rows);
            s.tables.push(Table { total: self.stats.parked, ..parked });
        }
        s
    }

    fn time_line(&self) -> Section {
        let mut s = Section::new("line", "Time line");
        let (rows, total) = &self.c.line;
        let more = total - rows.len() as u64;
        s.notes.push(format!("{} entries, in the order of the captures.", grouped(*total)));
        if more > 0 {
            s.notes.push(format!(
                "The first {} are listed, {} more are not (--limit).",
                grouped(rows.len() as u64),
                grouped(more)
            ));
        }
        let of_pattern =
            self.args.user.as_ref().is_some_and(|u| u.to_string().ends_with('*') || u.to_string() == "*ALL");
        let user = self.args.user.as_ref().map(ToString::to_string).unwrap_or_default();
        let row = |c: &Change| {
            let other = if of_pattern || c.effective == c.job {
                who(c)
            } else if c.effective == user {
                format!("in a job of {}", c.job)
            } else {
                format!("as {}", c.effective)
            };
            vec![
                c.time.map_or_else(|| "(no time)".to_owned(), |t| local(&t)),
                c.code.clone(),
                c.words.clone(),
                c.subject.clone(),
                other,
            ]
        };
        let columns = [
            ("time", Set::Word),
            ("type", Set::Word),
            ("what", Set::Text),
            ("object, path or user", Set::Text),
            ("other user", Set::Text),
        ];
        let rows = rows.iter().map(row).collect();
        s.tables.push(Table { total: *total, is_whole: true, ..Table::new("", &columns, rows) });
        s
    }
}

/// Time and place of a change.
fn when(c: &Change) -> String {
    format!("{} {}", c.time.map_or_else(|| "(no time)".to_owned(), |t| local(&t)), c.place)
}

/// Who did it.
fn who(c: &Change) -> String {
    if c.effective == c.job { c.effective.clone() } else { format!("{} (job user {})", c.effective, c.job) }
}

fn edge(time: Option<EntryTime>) -> String {
    time.map_or_else(|| "(no time)".to_owned(), |t| local(&t))
}

/// A count, marked where it is not exact.
fn count<V>(row: &Counted<V>) -> String {
    if row.missed == 0 { grouped(row.count) } else { format!("~{}", grouped(row.count)) }
}
