//! The compiled filter against `reference/`, a filter that is slow and obvious: the same verdict, by the same rule, on
//! more than 100,000 random entries under some hundred random rule sets.
//!
//! Everything follows from one seed: `QAUDJRN_SEED=N cargo test --test filter_reference` tries another one. A failure
//! prints the seed and, without what does not matter, the rules and the entries.
mod reference;

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    path::Path,
    sync::{Arc, OnceLock},
};

use qaudjrn::{
    config::{Config, ProblemLevel},
    decode::{
        ebcdic::{Ccsid, Charset},
        journal::{Catalog, Entry, HeadingKind},
    },
    event::{EventModel, Options},
    filter::{self, Filter, FilterChain, State},
};
use reference::{
    Reference, Rules, Values, Verdict,
    entries::{CCSIDS, Maker},
    rules::{self, Random},
};

/// Rule sets, and the most rules in one of their lists.
const RULE_SETS: [(usize, usize); 2] = [(760, 6), (40, 120)];
/// Entries under each rule set.
const ENTRIES: usize = 260;
/// What must have happened so often: well under what any seed brings.
const LEAST: &[(usize, &str)] = &[
    (20_000, "sent"),
    (10_000, "dropped by types.send"),
    (2_000, "dropped by types.exclude"),
    (5_000, "dropped by users.exclude"),
    (4_000, "dropped by objects.exclude"),
    (4_000, "dropped by ifs.exclude"),
    (600, "dropped by system_values.exclude"),
    (5_000, "dropped by programs.exclude"),
    (5_000, "dropped by jobs.exclude"),
    (3_000, "dropped by remote.exclude"),
    (600, "users.include"),
    (200, "objects.include"),
    (200, "ifs.include"),
    (50, "system_values.include"),
    (600, "programs.include"),
    (300, "jobs.include"),
    (300, "remote.include"),
    (800, "learned"),
    (1_000, "learned user kept"),
    (2_500, "privileged user kept"),
    (200, "privileged job kept"),
    (10_000, "audit change"),
    (1_000, "kept audit change AD"),
    (1_000, "kept audit change CP"),
    (800, "kept audit change J"),
    (1_000, "kept audit change SV"),
    (2_000, "kept audit change of an object"),
    (150, "command kept"),
    (100, "dropped by an old name"),
    (60, "dropped below QOpenSys"),
    (300, "relative path kept"),
    (20, "guessed path kept"),
    (300, "# of CCSID 37"),
    (300, "# of CCSID 297"),
];

fn seed() -> u64 {
    match env::var("QAUDJRN_SEED") {
        Ok(seed) => seed.parse().expect("QAUDJRN_SEED is a number"),
        Err(_) => 20_261_120,
    }
}

fn catalog() -> &'static Arc<Catalog> {
    static READ: OnceLock<Arc<Catalog>> = OnceLock::new();
    READ.get_or_init(|| Arc::new(Catalog::shipped().unwrap()))
}

fn config(rules: &Rules) -> Config {
    let toml = rules.toml();
    let config = Config::parse(&toml, "test.toml", Path::new("."), catalog());
    let errors = config.problems.iter().filter(|p| p.level == ProblemLevel::Error);
    let errors: Vec<String> = errors.map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{}\n{toml}", errors.join("\n"));
    config
}

fn compiled(model: &EventModel, config: &Config) -> Filter {
    Filter::new(model, &config.filter, None).expect("rules that the tables know")
}

/// Entries, as values and as bytes.
type Entries = Vec<(Values, Vec<u8>)>;

/// A source: its model, and what makes its entries.
struct Source {
    model: EventModel,
    maker: Maker,
}

fn sources() -> [Source; 3] {
    let heading = catalog().heading(HeadingKind::Type5).unwrap();
    CCSIDS.map(|ccsid| {
        let job = Charset::of(Ccsid(ccsid)).unwrap();
        let model = EventModel::new(catalog().clone(), heading.clone(), job, Options::default());
        Source { model, maker: Maker::new(ccsid) }
    })
}

impl Source {
    fn entries(&mut self, r: &mut Random) -> Entries {
        self.maker.as_37 = r.chance(50);
        let made = |_| {
            let (values, record) = self.maker.entry(r);
            (values, record.bytes().to_vec())
        };
        (0..ENTRIES).map(made).collect()
    }
}

/// What a filter or a chain says of each entry, one after the other.
fn verdicts(
    model: &EventModel,
    entries: &Entries,
    says: impl Fn(&qaudjrn::event::Event<'_>, &mut State) -> filter::Verdict,
) -> Vec<filter::Verdict> {
    let mut state = State::default();
    let mut verdict = |bytes| {
        let entry = Entry::new(model.heading(), bytes).expect("an entry");
        says(&model.event(entry, None), &mut state)
    };
    entries.iter().map(|(_, bytes)| verdict(bytes)).collect()
}

/// The verdicts of the product, in the words of the reference.
fn product(model: &EventModel, rules: &Rules, entries: &Entries) -> Vec<Verdict> {
    let config = config(rules);
    let filter = compiled(model, &config);
    let name = |id| {
        let name = config.book.get(id).expect("a rule of the book").name().to_string();
        // That no rule sends a type is one rule, whatever it is called.
        if name.starts_with("types.send") { "types.send".to_owned() } else { name }
    };
    let in_words = |verdict| match verdict {
        filter::Verdict::Sent => Verdict::Sent,
        filter::Verdict::Dropped(id) => Verdict::Dropped(name(id)),
        filter::Verdict::AuditChange(severity, id) => {
            assert_eq!(severity, rules.severity);
            Verdict::AuditChange(id.map(name))
        }
    };
    verdicts(model, entries, |event, state| filter.verdict(event, state)).into_iter().map(in_words).collect()
}

/// The first entry about which the two differ: its place, what was expected and what came.
fn difference(model: &EventModel, rules: &Rules, entries: &Entries) -> Option<(usize, Verdict, Verdict)> {
    let mut reference = Reference::new(rules);
    let both = product(model, rules, entries).into_iter().zip(entries).enumerate();
    both.map(|(i, (got, (values, _)))| (i, reference.verdict(values), got)).find(|(_, expected, got)| expected != got)
}

/// What is wrong, with as few rules and as few entries before it as show it.
fn report(model: &EventModel, mut rules: Rules, mut entries: Entries) -> String {
    let keys: Vec<&'static str> = rules.lists.keys().copied().collect();
    for key in keys {
        for i in (0..rules.list(key).len()).rev() {
            let mut fewer = rules.clone();
            let list = fewer.lists.get_mut(key).expect("a list");
            list.remove(i);
            if list.is_empty() {
                fewer.lists.remove(key);
            }
            if difference(model, &fewer, &entries).is_some() {
                rules = fewer;
            }
        }
    }
    loop {
        let (at, expected, got) = difference(model, &rules, &entries).expect("the difference is still there");
        entries.truncate(at + 1);
        let without = |i: usize| {
            let mut fewer = entries.clone();
            fewer.remove(i);
            fewer
        };
        if let Some(fewer) = (0..at).map(without).find(|fewer| difference(model, &rules, fewer).is_some()) {
            entries = fewer;
            continue;
        }
        let mut text = format!("{}expected {expected:?}\ngot      {got:?}\n", rules.toml());
        for (values, _) in &entries {
            let Values { journal_code, code, head, data } = values;
            writeln!(text, "\njournal code {journal_code}, type {code}\n{head:?}\n{data:?}").unwrap();
        }
        return text;
    }
}

/// Every rule set with its number and a source of random numbers of its own.
fn rule_sets() -> impl Iterator<Item = (usize, Rules, Random)> {
    let sizes = RULE_SETS.iter().flat_map(|(sets, most)| std::iter::repeat_n(*most, *sets));
    (0u64..).zip(sizes).map(|(set, most)| {
        let mut r = Random(seed().wrapping_add(set << 32));
        (set as usize, rules::rules(&mut r, most), r)
    })
}

#[test]
fn the_filter_and_a_slow_obvious_one_agree_on_every_entry() {
    let mut sources = sources();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut saw = |what: String, n| *seen.entry(what).or_default() += n;
    for (set, rules, mut r) in rule_sets() {
        let source = &mut sources[r.below(CCSIDS.len())];
        let entries = source.entries(&mut r);
        let mut reference = Reference::new(&rules);
        for ((values, _), got) in entries.iter().zip(product(&source.model, &rules, &entries)) {
            let expected = reference.verdict(values);
            if expected != got {
                let (ccsid, report) = (source.maker.ccsid, report(&source.model, rules.clone(), entries.clone()));
                panic!("QAUDJRN_SEED={}, rule set {set}, CCSID {ccsid}:\n{report}", seed());
            }
            if let Verdict::Dropped(rule) = expected {
                let list = rule.split(' ').next().unwrap_or_default();
                saw(format!("dropped by {list}"), 1);
                if source.maker.ccsid == 297 && rule.contains(['#', '@', '$']) {
                    saw(format!("# of CCSID {}", if source.maker.as_37 { 37 } else { 297 }), 1);
                }
            } else if expected == Verdict::Sent {
                saw("sent".to_owned(), 1);
            }
        }
        reference.seen.into_iter().for_each(|(what, n)| saw(what.to_owned(), n));
    }
    // Agreement on entries that no rule touches would say nothing.
    for (least, what) in LEAST {
        let n = seen.get(*what).copied().unwrap_or(0);
        assert!(n >= *least, "{what}: {n} of at least {least}: {seen:#?}");
    }
}

#[test]
fn a_chain_of_two_filters_sends_what_both_send() {
    let mut sources = sources();
    let mut sets = rule_sets();
    let mut seen = [0; 4];
    while let (Some((set, first, mut r)), Some((_, second, _))) = (sets.next(), sets.next()) {
        let source = &mut sources[r.below(CCSIDS.len())];
        let entries = source.entries(&mut r);
        let model = &source.model;
        let configs = [config(&first), config(&second)];
        let alone = configs.each_ref().map(|c| {
            let filter = compiled(model, c);
            verdicts(model, &entries, |event, state| filter.verdict(event, state))
        });
        let chain = FilterChain::new(configs.iter().map(|c| std::sync::Arc::new(compiled(model, c))).collect());
        let both = verdicts(model, &entries, |event, state| chain.verdict(event, state));
        for (i, got) in both.into_iter().enumerate() {
            use filter::Verdict::{AuditChange, Dropped, Sent};
            let as_expected = match (alone[0][i], alone[1][i], got) {
                // The rule that the first names, or else that of the second.
                (Dropped(rule), _, Dropped(by)) | (Sent | AuditChange(..), Dropped(rule), Dropped(by)) => rule == by,
                (Sent, Sent, Sent) => true,
                // A change to auditing is one for both, and as severe as either says.
                (AuditChange(a, _), AuditChange(b, _), AuditChange(severity, _)) => severity == a.max(b),
                (AuditChange(a, _), Sent, AuditChange(b, _)) | (Sent, AuditChange(a, _), AuditChange(b, _)) => a == b,
                _ => false,
            };
            let (values, toml) = (&entries[i].0, [first.toml(), second.toml()].join("\n"));
            let seed = seed();
            assert!(
                as_expected,
                "QAUDJRN_SEED={seed}, rule set {set} and the next: {got:?} for {:?} and {:?}\n{toml}{values:?}",
                alone[0][i], alone[1][i]
            );
            seen[match (alone[0][i], alone[1][i]) {
                (Dropped(_), _) => 0,
                (_, Dropped(_)) => 1,
                (Sent, Sent) => 2,
                _ => 3,
            }] += 1;
        }
    }
    assert!(seen.iter().all(|n| *n >= 4_000), "dropped by the first, by the second, sent, audit changes: {seen:?}");
}
