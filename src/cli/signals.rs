//! What signals ask of `run`. They are taken from the first moment on: one that came before anybody took it would end
//! the program.
//!
//! SIGTERM and Ctrl-C stop; a second one ends the program at once: what was read is on the disk. SIGHUP reads the
//! configuration again, SIGUSR1 writes the state to the log.
use std::{
    ffi::OsString,
    io,
    process::exit,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1},
    iterator::Signals,
};

use super::{console::say, exit::Exit};
use crate::{
    agent::{Control, Handle},
    log,
};

/// Signals that came since [`stand`].
static STANDING: Mutex<Option<Signals>> = Mutex::new(None);

/// Takes signals from now on, if the command is `run`: to be called before anything else.
pub fn stand() {
    if is_run(std::env::args_os().skip(1)) {
        *STANDING.lock().unwrap_or_else(PoisonError::into_inner) = signals().ok();
    }
}

/// Whether the command is `run`: the first argument behind the options of the log.
fn is_run(mut args: impl Iterator<Item = OsString>) -> bool {
    while let Some(arg) = args.next() {
        let Some(text) = arg.to_str() else { return false };
        if !text.starts_with("--") {
            return text == "run";
        }
        if !text.contains('=') {
            args.next();
        }
    }
    false
}

fn signals() -> io::Result<Signals> {
    Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1])
}

/// Passes on to an agent what signals ask for, those that came already too. `reload` is called for SIGHUP; until `runs` is
/// set there is nothing that would have to end in good order.
pub fn pass_on(handle: Handle, runs: Arc<AtomicBool>, reload: impl Fn() + Send + 'static) -> io::Result<()> {
    let standing = STANDING.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut signals = match standing {
        Some(signals) => signals,
        None => signals()?,
    };
    thread::spawn(move || {
        let mut stopped = false;
        for signal in signals.forever() {
            match signal {
                SIGHUP => reload(),
                SIGUSR1 if runs.load(Ordering::SeqCst) => handle.say(Control::Status),
                SIGUSR1 => say(format_args!("qaudjrn: the agent starts: its spool is opened and looked through\n")),
                _ if stopped => exit(Exit::Interrupted as i32),
                _ if !runs.load(Ordering::SeqCst) => {
                    say(format_args!("qaudjrn: stopped while it started: nothing was read\n"));
                    log::finish();
                    exit(Exit::Done as i32)
                }
                _ => {
                    stopped = true;
                    handle.say(Control::Stop);
                }
            }
        }
    });
    Ok(())
}
