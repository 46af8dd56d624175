//! `top`: a running agent on a terminal, drawn anew every second.
mod draw;
mod rates;

use std::{
    io::{self, IsTerminal as _},
    time::{Duration, Instant},
};

use anyhow::anyhow;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
};

use self::{draw::View, rates::Rates};
use super::{Agent, AgentArgs, unexpected};
use crate::{
    agent::control::{
        protocol::{Answer, Request},
        snapshot::Snapshot,
    },
    cli::exit::{Exit, Failure},
};

/// Options of `top`.
#[derive(clap::Args, Debug)]
#[command(after_help = "Keys: q ends, arrows and Page Up and Down move through what does not fit.")]
pub struct Args {
    #[command(flatten)]
    agent: AgentArgs,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    every: u64,
    /// Without colours; NO_COLOR in the environment does the same
    #[arg(long)]
    no_color: bool,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    if !io::stdout().is_terminal() {
        return Err(Failure::usage(anyhow!(
            "top draws on a terminal, and standard output is none: use `qaudjrn status`"
        )));
    }
    let mut agent = args.agent.connect()?;
    let first = look(&mut agent)?;
    let no_color = args.no_color || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    let mut screen =
        Screen { view: View::new(!no_color), rates: Rates::default(), every: Duration::from_secs(args.every) };
    screen.take(&first);
    let mut terminal = ratatui::try_init().map_err(Failure::failed)?;
    let ended = screen.show(&mut terminal, first, &args.agent, agent);
    ratatui::restore();
    ended.map(|()| Exit::Done)
}

fn look(agent: &mut Agent) -> Result<Box<Snapshot>, Failure> {
    match agent.ask(&Request::Status {})? {
        Answer::Status { status } => Ok(status),
        other => Err(unexpected(&other)),
    }
}

struct Screen {
    view: View,
    rates: Rates,
    every: Duration,
}

impl Screen {
    fn take(&mut self, snapshot: &Snapshot) {
        self.rates.take(snapshot, Instant::now());
    }

    /// Until somebody has seen enough. An agent that ends is waited for: its last state stays, and says so.
    fn show(
        &mut self,
        terminal: &mut DefaultTerminal,
        mut snapshot: Box<Snapshot>,
        place: &AgentArgs,
        agent: Agent,
    ) -> Result<(), Failure> {
        let mut agent = Some(agent);
        let mut gone = String::new();
        loop {
            terminal.draw(|f| self.view.draw(f, &snapshot, &self.rates, &gone)).map_err(Failure::failed)?;
            let due = Instant::now() + self.every;
            while let Some(left) = due.checked_duration_since(Instant::now()) {
                if !event::poll(left).map_err(Failure::failed)? {
                    break;
                }
                if self.obey(&event::read().map_err(Failure::failed)?) {
                    return Ok(());
                }
                terminal.draw(|f| self.view.draw(f, &snapshot, &self.rates, &gone)).map_err(Failure::failed)?;
            }
            let seen = match &mut agent {
                Some(agent) => look(agent),
                None => place.connect().and_then(|mut new| {
                    let seen = look(&mut new);
                    agent = Some(new);
                    seen
                }),
            };
            match seen {
                Ok(seen) => {
                    self.take(&seen);
                    (snapshot, gone) = (seen, String::new());
                }
                Err(e) => (agent, gone) = (None, e.error.to_string()),
            }
        }
    }

    /// Whether somebody wants to end.
    fn obey(&mut self, event: &Event) -> bool {
        let Event::Key(key) = event else { return false };
        if key.kind == KeyEventKind::Release {
            return false;
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return true,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return true,
            KeyCode::Down | KeyCode::Char('j') => self.view.scroll(1),
            KeyCode::Up | KeyCode::Char('k') => self.view.scroll(-1),
            KeyCode::PageDown => self.view.scroll(10),
            KeyCode::PageUp => self.view.scroll(-10),
            _ => {}
        }
        false
    }
}
