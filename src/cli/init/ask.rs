//! Questions: asked on a terminal, one after the other; elsewhere what is missing is gathered, to be named in one error.
use std::io::{self, BufRead, IsTerminal as _, Write};

use anyhow::anyhow;
use clap::ValueEnum;

use super::super::exit::Failure;

/// Answers that are none before it is given up.
const TRIES: u32 = 5;

/// Who is asked.
pub struct Asker {
    /// Where answers come from, and questions go to; `None` where nobody is there to answer.
    terminal: Option<(Box<dyn BufRead>, Box<dyn Write>)>,
    /// Options that would have been needed.
    missing: Vec<&'static str>,
}

impl Asker {
    /// Whoever sits at the terminal of this program; nobody where there is none.
    pub fn of_this_terminal() -> Asker {
        let is_there = io::stdin().is_terminal() && io::stderr().is_terminal();
        let terminal = || (Box::new(io::stdin().lock()) as Box<dyn BufRead>, Box::new(io::stderr()) as Box<dyn Write>);
        Asker { terminal: is_there.then(terminal), missing: Vec::new() }
    }

    /// Whether somebody is there to answer.
    pub fn is_there(&self) -> bool {
        self.terminal.is_some()
    }

    /// A text: what was given, or an answer; an empty one is the default. Without anybody to ask: the default, else it is missing.
    pub fn text(
        &mut self,
        given: Option<&String>,
        (option, question): (&'static str, &str),
        default: Option<&str>,
    ) -> Result<String, Failure> {
        if let Some(given) = given {
            return Ok(given.clone());
        }
        if self.terminal.is_none() {
            if default.is_none() {
                self.missing.push(option);
            }
            return Ok(default.unwrap_or_default().to_owned());
        }
        let shown = default.map_or(String::new(), |d| format!(" [{d}]"));
        for _ in 0..TRIES {
            let answer = self.answer(&format!("{question}{shown}: "), option)?;
            match (answer.as_str(), default) {
                ("", Some(default)) => return Ok(default.to_owned()),
                ("", None) => self.say("An answer is needed.\n", option)?,
                (answer, _) => return Ok(answer.to_owned()),
            }
        }
        Err(given_up(option))
    }

    /// One of several words, in the same way.
    pub fn choice<T: ValueEnum>(
        &mut self,
        given: Option<T>,
        (option, question): (&'static str, &str),
        default: Option<T>,
    ) -> Result<Option<T>, Failure> {
        if given.is_some() {
            return Ok(given);
        }
        if self.terminal.is_none() {
            if default.is_none() {
                self.missing.push(option);
            }
            return Ok(default);
        }
        let name = |v: &T| v.to_possible_value().map_or(String::new(), |p| p.get_name().to_owned());
        let words: Vec<String> = T::value_variants().iter().map(name).collect();
        let shown = default.as_ref().map_or(String::new(), |d| format!(" [{}]", name(d)));
        for _ in 0..TRIES {
            let answer = self.answer(&format!("{question} ({}){shown}: ", words.join(", ")), option)?;
            if answer.is_empty()
                && let Some(default) = default.clone()
            {
                return Ok(Some(default));
            }
            if let Ok(found) = T::from_str(&answer, true) {
                return Ok(Some(found));
            }
            self.say(&format!("Expected one of {}.\n", words.join(", ")), option)?;
        }
        Err(given_up(option))
    }

    /// An error that names all that was missing.
    pub fn nothing_is_missing(&self) -> Result<(), Failure> {
        if self.missing.is_empty() {
            return Ok(());
        }
        Err(Failure::usage(anyhow!(
            "there is no terminal to ask on, and these are missing: {}",
            self.missing.join(", ")
        )))
    }

    fn answer(&mut self, question: &str, option: &'static str) -> Result<String, Failure> {
        self.say(question, option)?;
        let Some((from, _)) = &mut self.terminal else { return Err(given_up(option)) };
        let mut line = String::new();
        match from.read_line(&mut line) {
            Ok(1..) => Ok(line.trim().to_owned()),
            Ok(0) | Err(_) => Err(given_up(option)),
        }
    }

    fn say(&mut self, text: &str, option: &'static str) -> Result<(), Failure> {
        let Some((_, to)) = &mut self.terminal else { return Ok(()) };
        to.write_all(text.as_bytes()).and_then(|()| to.flush()).map_err(|_| given_up(option))
    }
}

fn given_up(option: &str) -> Failure {
    Failure::usage(anyhow!("no answer: nothing was written; the option {option} gives it without a question"))
}

#[cfg(test)]
mod tests {
    use super::{super::Place, *};

    fn asker(answers: &'static str) -> Asker {
        Asker { terminal: Some((Box::new(answers.as_bytes()), Box::new(io::sink()))), missing: Vec::new() }
    }

    #[test]
    fn an_empty_answer_is_the_default_and_a_wrong_one_is_asked_for_again() {
        let mut a = asker("\n\nPROD01\nnowhere\nPase\n\n");
        assert_eq!(a.text(None, ("--user", "?"), Some("QAUDLOG")).unwrap(), "QAUDLOG");
        assert_eq!(a.text(None, ("--system", "?"), None).unwrap(), "PROD01");
        assert_eq!(a.choice(None, ("--place", "?"), Some(Place::Relay)).unwrap(), Some(Place::Pase));
        assert_eq!(a.choice(None, ("--place", "?"), Some(Place::Relay)).unwrap(), Some(Place::Relay));
        // What was given is not asked for, and an end is no answer.
        assert_eq!(a.text(Some(&"x".to_owned()), ("--system", "?"), None).unwrap(), "x");
        let e = a.text(None, ("--system", "?"), None).unwrap_err().error.to_string();
        assert!(e.contains("the option --system"), "{e}");
        let mut stubborn = asker("a\na\na\na\na\na\n");
        assert!(stubborn.choice::<Place>(None, ("--place", "?"), None).is_err());
    }

    #[test]
    fn without_a_terminal_all_that_is_missing_is_named_at_once() {
        let mut a = Asker { terminal: None, missing: Vec::new() };
        assert_eq!(a.text(None, ("--user", "?"), Some("QAUDLOG")).unwrap(), "QAUDLOG");
        a.nothing_is_missing().unwrap();
        a.text(None, ("--system", "?"), None).unwrap();
        assert_eq!(a.choice::<Place>(None, ("--place", "?"), None).unwrap(), None);
        let e = a.nothing_is_missing().unwrap_err().error.to_string();
        assert!(e.ends_with("these are missing: --system, --place"), "{e}");
    }
}
