//! What signals ask of `run`. They are taken from the first moment on: one that came before anybody took it would end
//! the program.
//!
//! SIGTERM and Ctrl-C stop; a second one ends the program at once: what was read is on the disk. SIGHUP reads the
//! configuration again, SIGUSR1 writes the state to the log. `replay` stops by the first two.
use std::{
    ffi::OsString,
    io,
    process::exit,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};

use super::{console::say, exit::Exit};
use crate::{
    agent::{Control, Handle},
    log,
};

/// Threads that run the tasks of an agent.
const THREADS: usize = 2;
/// How long a thread stays that stood in for one that waited for a disk: each has memory of its own as long as it lives.
const KEPT: Duration = Duration::from_millis(500);

/// So long behind a signal `replay` counts as hanging.
const HANGS: Duration = Duration::from_secs(2);

/// What takes signals since [`stand`].
static STANDING: Mutex<Option<Standing>> = Mutex::new(None);

/// The runtime of an agent, and the signals that came since it was made.
pub struct Standing {
    runtime: Runtime,
    signals: Signals,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
    status: Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
            status: signal(SignalKind::user_defined1())?,
        })
    }
}

impl Standing {
    fn new() -> io::Result<Standing> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_keep_alive(KEPT)
            .thread_name("agent")
            .enable_all()
            .build()?;
        let signals = {
            let _entered = runtime.enter();
            Signals::new()?
        };
        Ok(Standing { runtime, signals })
    }

    /// Passes on to an agent what signals ask for from now on, those that came already too. `reload` is called for SIGHUP; until
    /// `runs` is set there is nothing that would have to end in good order.
    pub fn pass_on(self, handle: Handle, runs: Arc<AtomicBool>, reload: impl Fn() + Send + 'static) -> Runtime {
        self.runtime.spawn(pass_on(self.signals, handle, runs, reload));
        self.runtime
    }
}

/// Takes signals from now on, if the command is `run`: to be called before anything else.
pub fn stand() {
    if is_run(std::env::args_os().skip(1)) {
        *STANDING.lock().unwrap_or_else(PoisonError::into_inner) = Standing::new().ok();
    }
}

/// What [`stand`] made. An error where the system has no threads or descriptors for it.
pub fn standing() -> io::Result<Standing> {
    let standing = STANDING.lock().unwrap_or_else(PoisonError::into_inner).take();
    standing.map_or_else(Standing::new, Ok)
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

/// Set by Ctrl-C and SIGTERM, for `replay`: it ends at the next record with its summary; if it hangs in a read or a write (a
/// silent pipe, a receiver that reads no more), the program ends two seconds later, or at the second Ctrl-C.
pub fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let stop: Arc<AtomicBool> = Arc::default();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (mut terminate, mut interrupt) = {
        let _entered = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    let flag = stop.clone();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            flag.store(true, Ordering::Relaxed);
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = sleep(HANGS) => {
                    say(format_args!("qaudjrn: interrupted while waiting for input or output; no summary\n"));
                }
            }
        });
        exit(Exit::Interrupted as i32);
    })?;
    Ok(stop)
}

async fn pass_on(mut signals: Signals, handle: Handle, runs: Arc<AtomicBool>, reload: impl Fn()) {
    let mut stopped = false;
    loop {
        tokio::select! {
            Some(()) = signals.terminate.recv() => {}
            Some(()) = signals.interrupt.recv() => {}
            Some(()) = signals.reload.recv() => {
                reload();
                continue;
            }
            Some(()) = signals.status.recv() => {
                match runs.load(Ordering::SeqCst) {
                    true => handle.say(Control::Status),
                    false => say(format_args!("qaudjrn: the agent starts: its spool is opened and looked through\n")),
                }
                continue;
            }
            else => return,
        }
        if stopped {
            exit(Exit::Interrupted as i32);
        }
        if !runs.load(Ordering::SeqCst) {
            say(format_args!("qaudjrn: stopped while it started: nothing was read\n"));
            log::finish();
            exit(Exit::Done as i32);
        }
        stopped = true;
        handle.say(Control::Stop);
    }
}
