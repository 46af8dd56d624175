//! The pages are true: every block of commands runs, or says why it is for another machine; every configuration passes `check`; every
//! command that is named is one; and pages that are made of tables are what the tables give.

#[path = "docs/events.rs"]
mod events;
#[path = "docs/keys.rs"]
mod keys;
#[path = "docs/machine.rs"]
mod machine;
#[path = "docs/messages.rs"]
mod messages;
#[path = "docs/pages.rs"]
mod pages;

use std::{collections::BTreeMap, path::Path};

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};
use harness::program::Run;
use machine::Machine;
use pages::{Block, blocks, pages, prose, words};
use qaudjrn::cli::Cli;

/// Why a block may be for another machine. Another reason is another line here.
const ELSEWHERE: [&str; 5] = [
    "it needs an IBM i",
    "it needs a live IBM i and its Mapepire server",
    "it installs packages and starts services",
    "it builds the program, which takes minutes",
    "it runs the tests themselves",
];
/// Says what is to come: commands in it need not be there.
const PLANS: &str = "docs/NEXT.md";

fn all_blocks() -> Vec<Block> {
    pages().iter().flat_map(|(page, text)| blocks(page, text)).collect()
}

/// A page's blocks in order on one machine, as a reader would run them; all problems at once.
#[test]
fn every_shell_block_runs_or_says_why_not() {
    let (mut run, mut elsewhere, mut problems) = (0, BTreeMap::<String, Vec<String>>::new(), Vec::new());
    for (page, text) in pages() {
        let found = blocks(&page, &text);
        if !found.iter().any(Block::is_shell) {
            continue;
        }
        let machine = Machine::new();
        for block in found {
            if let Some(name) = &block.file {
                machine.write(name, &block.text);
            } else if let (true, Some(reason)) = (block.is_shell(), &block.elsewhere) {
                elsewhere.entry(reason.clone()).or_default().push(block.place());
            } else if block.is_shell() {
                run += 1;
                problems.extend(try_block(&machine, &block).err().map(|e| format!("{}: {e}", block.place())));
            }
        }
    }
    println!("{run} blocks run");
    for (reason, places) in &elsewhere {
        println!("{} elsewhere, because {reason}: {}", places.len(), places.join(" "));
        assert!(ELSEWHERE.contains(&reason.as_str()), "{reason:?} is no reason that ELSEWHERE knows: {places:?}");
    }
    assert!(problems.is_empty(), "{} blocks do not do what they say:\n{}", problems.len(), problems.join("\n"));
    let marked: usize = elsewhere.values().map(Vec::len).sum();
    assert!(run > marked, "{run} blocks run and {marked} are for other machines: more of them can run here");
}

fn try_block(machine: &Machine, block: &Block) -> Result<(), String> {
    if block.language == "console" {
        return try_session(machine, &block.text);
    }
    let Run { code, stdout, stderr } = machine.run(&block.text);
    match code {
        0 => Ok(()),
        _ => Err(format!("exit code {code}\n{}\n{}\n{}", block.text, tail(&stdout), tail(&stderr))),
    }
}

/// Lines behind `$ ` are commands, the others what they say; `...` stands for any lines, and for the rest of a line.
fn try_session(machine: &Machine, text: &str) -> Result<(), String> {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command, Vec::new())),
            (None, Some((_, expected))) => expected.push(line),
            (None, None) => return Err("a session begins with `$ COMMAND`".to_owned()),
        }
    }
    for (command, expected) in commands {
        // An exit code other than 0 may be what is shown.
        let run = machine.run(&format!("{{ {command}\n}} 2>&1"));
        let said: Vec<&str> = run.stdout.lines().collect();
        let expected: Vec<String> = expected.iter().map(|line| machine.here(line)).collect();
        if !is_as_shown(&said, &expected.iter().map(String::as_str).collect::<Vec<_>>()) {
            return Err(format!("`{command}` says\n{}\nand not\n{}", said.join("\n"), expected.join("\n")));
        }
    }
    Ok(())
}

fn is_as_shown(said: &[&str], shown: &[&str]) -> bool {
    match (said, shown) {
        ([], []) => true,
        (_, ["...", shown @ ..]) => (0..=said.len()).any(|n| is_as_shown(&said[n..], shown)),
        ([line, said @ ..], [pattern, shown @ ..]) => {
            let same = match pattern.strip_suffix("...") {
                Some(start) => line.starts_with(start),
                None => line.trim_end() == pattern.trim_end(),
            };
            same && is_as_shown(said, shown)
        }
        _ => false,
    }
}

#[test]
fn sessions_are_compared_line_by_line() {
    assert!(is_as_shown(&["a", "b", "c d"], &["a", "...", "c..."]));
    assert!(is_as_shown(&["a"], &["a", "..."]));
    assert!(!is_as_shown(&["a", "b"], &["a"]));
    assert!(!is_as_shown(&["a"], &["a", "b"]));
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// Commands for other machines are at least commands of this program, with options that it has.
#[test]
fn every_command_that_is_named_is_one() {
    let (mut read, mut problems) = (0, Vec::new());
    for (page, text) in pages().into_iter().filter(|(page, _)| page != PLANS) {
        let prose = prose(&text);
        let named = prose.split('`').skip(1).step_by(2).filter(|code| code.starts_with("qaudjrn "));
        let named: Vec<(String, bool)> = named.map(|code| (code.replace('\n', " "), false)).collect();
        let marked = blocks(&page, &text).into_iter().filter(|b| b.is_shell() && b.elsewhere.is_some());
        let marked = marked.flat_map(|b| b.text.lines().map(|line| (line.to_owned(), true)).collect::<Vec<_>>());
        for (line, whole) in named.into_iter().chain(marked) {
            for command in words(&line).split(|word| ["|", "&&", ";"].contains(&word.as_str())) {
                let command = command.strip_prefix(&["sudo".to_owned()]).unwrap_or(command);
                if !command.first().is_some_and(|word| Path::new(word).ends_with("qaudjrn")) {
                    continue;
                }
                read += 1;
                problems.extend(refused(command, whole).map(|e| format!("{page}: {line}\n{e}")));
            }
        }
    }
    println!("{read} commands read");
    assert!(read > 30, "{read} commands read");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What the command line has against a command; in a text it may be shortened.
fn refused(command: &[String], whole: bool) -> Option<String> {
    let command = command.iter().filter(|word| *word != "...");
    let error = Cli::try_parse_from(command).err()?;
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => None,
        // `qaudjrn pin HOST:PORT`, `qaudjrn replay --layouts DIR`.
        ErrorKind::MissingRequiredArgument
        | ErrorKind::ValueValidation
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            if !whole =>
        {
            None
        }
        _ => Some(error.to_string()),
    }
}

/// What is not in a block is not run: an indented text, a block without a language.
#[test]
fn commands_stand_in_blocks_that_say_what_they_are() {
    let commands: Vec<String> =
        Cli::command().get_subcommands().map(|c| format!("qaudjrn {} ", c.get_name())).collect();
    let is_command = |line: &str| line.starts_with("$ ") || commands.iter().any(|c| line.starts_with(c.as_str()));
    for (page, text) in pages() {
        for (n, line) in prose(&text).lines().enumerate() {
            let indented = line.strip_prefix("    ").unwrap_or_default();
            assert!(!is_command(indented), "{page}: line {n} of the text: ```sh before it: {line}");
        }
        for block in blocks(&page, &text) {
            let known = ["sh", "bash", "console", "toml", "text", "cl", "sql", "json"];
            assert!(known.contains(&block.language.as_str()), "{}: a block of {:?}", block.place(), block.language);
            let hidden = !block.is_shell() && block.text.lines().any(is_command);
            assert!(!hidden, "{}: commands in a block of {}", block.place(), block.language);
        }
    }
}

/// Parts of a configuration are checked within the least one.
#[test]
fn every_configuration_passes_check() {
    let (machine, mut checked) = (Machine::new(), 0);
    // A profile of lines begins with what it is about: tests/dialects.rs reads that one.
    let is_configuration = |b: &Block| b.language == "toml" && !b.text.starts_with("about = ");
    for block in all_blocks().into_iter().filter(is_configuration) {
        let given: toml::Table = block.text.parse().unwrap_or_else(|e| panic!("{}: {e}", block.place()));
        let mut text = String::new();
        if !given.contains_key("state_dir") {
            text += "state_dir = \"/var/lib/qaudjrn\"\n";
        }
        text += &block.text;
        if !given.contains_key("source") && !given.contains_key("listener") {
            text += "\n[[source]]\nname = \"prod01\"\npath = \"fixtures/stories.type5\"\ntimezone = \"UTC\"\n";
        }
        if !given.contains_key("output") {
            text += "\n[[output]]\nname = \"qradar\"\naddress = \"null\"\nformat = \"leef\"\n";
        }
        machine.write("part.toml", &text);
        let run = machine.run("qaudjrn check --config part.toml");
        assert_eq!(run.code, 0, "{}: {}{}\n{}", block.place(), run.stdout, run.stderr, text);
        checked += 1;
    }
    println!("{checked} configurations checked");
    assert!(checked > 8, "{checked} configurations");
}

/// The page of messages is no use with words that the program never says.
#[test]
fn every_message_that_is_quoted_is_in_the_sources() {
    let page = pages().into_iter().find(|(page, _)| page == "docs/TROUBLESHOOTING.md").expect("the page");
    let text = prose(&page.1);
    let literals = messages::literals();
    let (mut quoted, mut unknown) = (0, Vec::new());
    // Rows of tables: what one sees, what is said, what to do.
    for said in text.lines().filter_map(|line| line.split('|').nth(2)) {
        for message in said.split('`').skip(1).step_by(2).filter(|m| m.contains(' ') && !m.starts_with("qaudjrn ")) {
            quoted += 1;
            let mut pieces =
                message.split("...").map(|p| p.trim_matches(|c: char| c.is_whitespace() || "():;".contains(c)));
            if !pieces.all(|piece| literals.iter().any(|l| l.contains(piece))) {
                unknown.push(message);
            }
        }
    }
    println!("{quoted} messages quoted");
    assert!(quoted > 40, "{quoted} messages quoted");
    assert!(unknown.is_empty(), "no message of src says: {unknown:#?}");
}

/// Pages that are made are what is committed. `QAUDJRN_REMAKE=1` writes them.
#[test]
fn pages_made_of_tables_are_what_the_tables_give() {
    let keys = keys::page();
    for key in keys::all_keys() {
        assert!(keys.contains(&format!("`{key}`")) || keys.contains(&format!("({key})")), "docs/KEYS.md lacks {key}");
    }
    for (name, made) in [("docs/KEYS.md", keys), ("docs/EVENTS.md", events::page())] {
        let path = harness::root().join(name);
        if std::env::var_os("QAUDJRN_REMAKE").is_some() {
            std::fs::write(&path, &made).expect("the page");
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        let first = there.lines().zip(made.lines()).find(|(there, made)| there != made);
        assert!(
            there == made,
            "{name} is not what its tables give: {first:?}; make it anew, and read the difference: \
             QAUDJRN_REMAKE=1 cargo test --profile ci --test docs made_of_tables"
        );
    }
}

/// The first impression: the lines of README.md are those of the program, and its bytes those of the capture.
#[test]
fn lines_and_bytes_that_are_shown_are_those_of_the_shipped_capture() {
    let one_line = |text: &str| text.replace('→', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let read = |name: &str| std::fs::read(harness::root().join(name)).expect("a file");
    let golden = ["cef", "leef", "syslog"].map(|format| read(&format!("tests/golden/stories.{format}")));
    let lines: Vec<String> =
        golden.iter().flat_map(|g| std::str::from_utf8(g).expect("UTF-8").lines()).map(one_line).collect();
    let capture = read("fixtures/stories.type5");
    // Of the 13th record, whose length says how long all are.
    let record = &capture[12 * capture.len() / 45..];
    let (mut shown, mut bytes) = (0, 0);
    for block in all_blocks().iter().filter(|b| b.page == "README.md" && b.language == "text") {
        if block.text.starts_with('<') {
            assert!(lines.contains(&one_line(&block.text)), "{}: no line of tests/golden", block.place());
            shown += 1;
        }
        let words: Vec<&str> = block.text.split_whitespace().collect();
        for pair in words.windows(2).filter(|_| !block.text.starts_with('<')) {
            let (Ok(at), true) = (pair[0].parse::<usize>(), pair[1].len() % 2 == 0) else { continue };
            let hex: String = record[at - 1..].iter().take(pair[1].len() / 2).map(|b| format!("{b:02X}")).collect();
            assert_eq!(hex, pair[1], "{}: position {at}", block.place());
            bytes += 1;
        }
    }
    assert_eq!((shown, bytes), (3, 8));
}

/// Links to other pages, and to headings in them, lead somewhere.
#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut found = 0;
    for (page, text) in &pages {
        let text = prose(text);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            found += 1;
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let folder = Path::new(page).parent().expect("a folder");
            let path = if file.is_empty() { Path::new(page).to_owned() } else { folder.join(file) };
            let path = harness::root().join(path);
            assert!(path.exists(), "{page}: {target}: there is no such file");
            if !heading.is_empty() {
                let there = std::fs::read_to_string(&path).expect("a page");
                let anchors = there.lines().filter(|l| l.starts_with('#')).map(|l| anchor(l.trim_start_matches('#')));
                assert!(anchors.into_iter().any(|a| a == heading), "{page}: {target}: there is no such heading");
            }
        }
    }
    assert!(found > 100, "{found} links");
}

/// The anchor that a heading has on the web: lower case, words joined by hyphens, without other signs.
fn anchor(heading: &str) -> String {
    let text = heading.trim().to_lowercase();
    text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}
