//! Rules of the house that no compiler checks, read from the sources: what uses no tokio, what never sleeps, whose clock is used where,
//! which crates there are and why, and how long tests sleep.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// All sources below a folder, by their paths from the root, in order.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.insert(name, read(&path));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// The program's own code: without files of tests, the tests at the end of a file, and comments.
fn code(folder: &str) -> BTreeMap<String, String> {
    let is_test = |name: &str| name.split('/').any(|part| part.trim_end_matches(".rs").ends_with("tests"));
    let own = sources(folder).into_iter().filter(|(name, _)| !is_test(name));
    own.map(|(name, text)| (name, without_comments(text.split("\n#[cfg(test)]\nmod tests {").next().unwrap())))
        .collect()
}

/// Lines without what stands behind `//`. A text with `//` in it loses its end, which no rule here asks for.
fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').collect()
}

/// Decode, event, filter, encode and the store of the spool are plain functions and structs.
#[test]
fn what_is_plain_uses_no_tokio() {
    let rooms = ["src/decode", "src/event", "src/filter", "src/encode"];
    let mut plain: BTreeMap<String, String> = rooms.into_iter().flat_map(code).collect();
    plain.extend(code("src/spool").into_iter().filter(|(name, _)| name.starts_with("src/spool/store")));
    for (name, text) in plain {
        assert!(!words(&text).contains("tokio"), "{name} uses tokio");
    }
}

/// Who asked for this project named these; each crate that is used says in docs/DEPENDENCIES.md why.
#[test]
fn every_crate_has_its_reason_and_the_named_ones_are_there() {
    let manifest: toml::Table = read(&root().join("Cargo.toml")).parse().unwrap();
    let crates = manifest["dependencies"].as_table().unwrap();
    for named in ["encoding_rs", "nom", "tokio", "rustls", "governor", "serde", "toml", "chrono"] {
        assert!(crates.contains_key(named), "{named} is not used");
    }
    let reasons = read(&root().join("docs/DEPENDENCIES.md"));
    // The first column of the table: names, with commas between, and what is said of them in brackets.
    let first = reasons.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let told: BTreeSet<&str> = first.flat_map(|column| column.split(|c: char| ", ()`".contains(c))).collect();
    for name in crates.keys() {
        assert!(told.contains(name.as_str()), "docs/DEPENDENCIES.md says nothing of {name}");
    }
}

/// A thread that sleeps is deaf to a stop, and a loop that sleeps is a tick: one at most, with its reason (the one that ends a process that hangs).
#[test]
fn hardly_a_thread_sleeps() {
    let mut found = Vec::new();
    for (name, text) in code("src") {
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate() {
            if line.contains("thread::sleep") && !line.trim_start().starts_with("use ") {
                let before = lines.get(n.saturating_sub(8)..n).unwrap_or_default().join("\n");
                let reasoned = before.contains("clippy::disallowed_methods") && before.contains("reason = ");
                assert!(
                    reasoned,
                    "{name}: thread::sleep without #[expect(clippy::disallowed_methods, reason = \"...\")]"
                );
                found.push(name.clone());
            }
        }
        assert!(!words(&text).contains("park_timeout"), "{name}: park_timeout is a sleep");
    }
    assert!(found.len() <= 1, "thread::sleep in {found:?}");
}

/// Where std's `Instant` belongs though it is in a room of tasks, and why.
const STD_CLOCK: [(&str, &str); 0] = [];

/// In rooms of tasks time is tokio's, which tests hold still: std's would go on.
#[test]
fn tasks_ask_the_clock_of_the_runtime() {
    for (name, text) in ["src/agent", "src/output"].into_iter().flat_map(code) {
        let names_std = text.contains("std::time::Instant") || of_std(&text).contains("Instant");
        let listed = STD_CLOCK.iter().any(|(file, _)| *file == name);
        assert!(!names_std || listed, "{name}: Instant is std's: take tokio::time::Instant");
        assert!(names_std || !listed, "{name}: is listed and uses tokio's clock");
    }
}

/// The names that `use std::...;` takes from std.
fn of_std(text: &str) -> BTreeSet<&str> {
    used(text, "use std::")
}

/// The names in the `use`s that begin so.
fn used<'a>(text: &'a str, beginning: &str) -> BTreeSet<&'a str> {
    let used = text.split(beginning).skip(1).filter_map(|rest| rest.split(';').next());
    used.flat_map(words).collect()
}

/// What others connect to, and why it is there.
const LISTENS: [(&str, &str); 3] = [
    ("src/source/stream/", "senders"),
    (
        "src/agent/control/server.rs",
        "who asks a running agent how it is and tells it what to do, by a Unix socket of its own",
    ),
    ("src/agent/metrics/server.rs", "who asks for the figures: it is served by hyper and has no part in what is sent"),
];

/// What connects does so by `net`, which tests can put on a simulated network; only what others connect to has sockets of its own.
#[test]
fn sockets_are_opened_in_one_place_for_each_direction() {
    let mut found = BTreeSet::new();
    for (name, text) in code("src") {
        if text.contains("tokio::net::") || used(&text, "use tokio::").contains("net") {
            assert!(
                name == "src/net/sys/system.rs" || LISTENS.iter().any(|(place, _)| name.starts_with(place)),
                "{name} opens sockets of its own: connect by src/net/connect.rs, listen where LISTENS says"
            );
            found.insert(name);
        }
    }
    assert!(found.contains("src/net/sys/system.rs"), "{found:?}");
    for (place, _) in LISTENS {
        assert!(found.iter().any(|name| name.starts_with(place)), "nothing in {place} listens");
    }
}

/// The compiler finds what nobody uses, but not what a crate offers to others.
#[test]
fn the_harness_offers_nothing_that_nobody_uses() {
    let users = ["tests", "benches", "fuzz/src", "fuzz/fuzz_targets"].into_iter().flat_map(sources);
    let all: Vec<(String, String)> = users.map(|(file, text)| (file, without_comments(&text))).collect();
    let in_order = |text| str::split(text, |c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    let mut uses: BTreeMap<&str, u32> = BTreeMap::new();
    all.iter().flat_map(|(_, text)| in_order(text)).for_each(|word| *uses.entry(word).or_default() += 1);
    let mut names = 0;
    for (file, text) in all.iter().filter(|(file, _)| file.starts_with("tests/harness/")) {
        for offered in text.split("pub ").skip(1) {
            // `pub fn NAME(`, `pub const NAME:`, `pub struct NAME`, or a field: `pub NAME:`.
            let kinds = ["fn", "const", "static", "struct", "enum", "type", "mod", "use"];
            let name = in_order(offered).find(|word| !kinds.contains(word)).unwrap();
            assert!(uses[name] > 1, "{file}: nobody uses {name}");
            names += 1;
        }
    }
    assert!(names > 100, "{names} names");
}

/// From this on a sleep in tests is counted: shorter ones are steps of waits for something.
const COUNTED: u64 = 200;
/// The most that fixed sleeps in tests may add to, in milliseconds.
const MOST: u64 = 10_000;
/// Sleeps whose length is no number in the source: the most they take, in milliseconds, and why.
const COMPUTED: [(&str, &str, u64, &str); 5] = [
    ("tests/agent.rs", "Duration::from_millis(40 + round * 7_919 % 400)", 440, "kill -9 comes at any moment"),
    ("tests/directory.rs", "Duration::from_millis(350 + u64::from(n) * 130)", 870, "kill -9 comes at any moment"),
    ("tests/network/proxy.rs", "Duration::from_secs_f64(n as f64 / rate as f64)", 0, "a slow line is what is tested"),
    ("tests/harness/src/agent.rs", "step", 20, "a step of a wait, longer where looking takes long"),
    ("tests/harness/src/rest.rs", "window", 0, "counted as WINDOW; longer in the long form"),
];

/// Tests wait for something that happens. What they wait out adds up to seconds only.
#[test]
fn tests_hardly_wait_for_time_to_pass() {
    let (mut all, mut table) = (0, String::new());
    // This file is full of examples.
    for (name, text) in sources("tests").into_iter().filter(|(name, _)| name != "tests/house.rs") {
        let text = without_comments(&text);
        let mut sum = 0;
        for argument in sleeps(&text) {
            let computed = COMPUTED.iter().find(|(file, what, ..)| *file == name && *what == argument);
            let length = computed.map(|c| c.2).or_else(|| milliseconds(&text, argument));
            let length = length.unwrap_or_else(|| panic!("{name}: sleep({argument}): how long is that? See COMPUTED"));
            sum += if length >= COUNTED { length } else { 0 };
        }
        // A time that the rule above would not see.
        if name == "tests/harness/src/rest.rs" {
            sum += milliseconds(&text, "WINDOW").unwrap();
        }
        if sum > 0 {
            table += &format!("{name} {} s\n", sum as f64 / 1_000.0);
        }
        all += sum;
    }
    println!("{table}together {} s", all as f64 / 1_000.0);
    assert!(all < MOST, "fixed sleeps in tests are {} s:\n{table}", all as f64 / 1_000.0);
}

/// What is given to `sleep` of std, wherever it is called. Code for other programs within texts (`time.sleep`) is not meant.
fn sleeps(text: &str) -> Vec<&str> {
    let calls = text.match_indices("sleep(").filter(|(at, _)| {
        let before = &text[..*at];
        before.ends_with("thread::") || before.ends_with(|c: char| c.is_whitespace() || c == '{' || c == '(')
    });
    let calls = calls.filter(|(at, _)| !text[..*at].ends_with("fn "));
    calls.map(|(at, name)| within_brackets(&text[at + name.len()..])).collect()
}

/// The text up to the bracket that closes what is open before it.
fn within_brackets(text: &str) -> &str {
    let mut open = 1;
    let end = text.find(|c| {
        open += i32::from(c == '(') - i32::from(c == ')');
        open == 0
    });
    text.get(..end.unwrap_or(text.len())).unwrap_or(text).trim()
}

/// How long that is: a number of some unit, a constant of the same file, or the short one of `seconds(short, long)`.
fn milliseconds(text: &str, argument: &str) -> Option<u64> {
    let argument = argument.trim_start_matches("std::time::");
    let number = |of: &str| of.trim().replace('_', "").parse::<u64>().ok();
    for (unit, times, parts) in [
        ("Duration::from_secs(", 1_000, 1),
        ("Duration::from_millis(", 1, 1),
        ("Duration::from_micros(", 1, 1_000),
        ("seconds(", 1_000, 1),
    ] {
        if let Some(rest) = argument.strip_prefix(unit) {
            return Some(number(within_brackets(rest).split(',').next()?)? * times / parts);
        }
    }
    let is_name = !argument.is_empty() && argument.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let value = text.split(&format!("const {argument}: Duration = ")).nth(1).filter(|_| is_name)?;
    milliseconds(text, value.split(';').next()?)
}

#[test]
fn sleeps_are_found_and_measured() {
    let text = "const QUIET: Duration = Duration::from_millis(300);\n thread::sleep(QUIET); sleep(Duration::from_secs(2)); x.sleep(3)\n\
        fn sleep(t: Duration) {} std::thread::sleep(seconds(1, 300));";
    let found: Vec<_> = sleeps(text).into_iter().map(|s| milliseconds(text, s)).collect();
    assert_eq!(found, [Some(300), Some(2_000), Some(1_000)]);
    assert_eq!(milliseconds("", "Duration::from_millis(1_500)"), Some(1_500));
    assert_eq!(milliseconds("", "pause"), None);
}
