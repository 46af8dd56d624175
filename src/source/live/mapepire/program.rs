//! Frames over the standard input and output of a program, a line each: no open port and no stored password.
use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStderr, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use super::{Frames, QueryError, ended};
use crate::{
    log,
    output::wait::{TICK, Wait},
};

/// The longest line: as the largest frame over a WebSocket.
const MAX_LINE: u64 = 64 << 20;

/// A program that is running.
pub struct Program {
    child: Child,
    /// To the thread that writes: a program that reads nothing holds nobody else up.
    input: Option<SyncSender<String>>,
    written: Receiver<Result<(), String>>,
    lines: Receiver<Result<String, String>>,
}

/// The longest line of its standard error that is shown.
const MAX_SAID: u64 = 4 << 10;

/// Starts it. What it says on standard error goes through the agent's log: `ssh` passes on what the other side likes.
pub fn start(command: &[String]) -> Result<Program, QueryError> {
    let (name, arguments) = command.split_first().ok_or_else(|| QueryError::Lost("no command".to_owned()))?;
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| QueryError::Lost(format!("{name} cannot be started: {e}")))?;
    let (input, requests) = sync_channel::<String>(1);
    let (tell, written) = sync_channel(1);
    let stdin = child.stdin.take();
    thread::spawn(move || write(stdin, &requests, &tell));
    if let Some(said) = child.stderr.take() {
        pass_on(name.clone(), said);
    }
    let output = child.stdout.take();
    // One line ahead: the program waits, as over a socket, when nobody reads.
    let (to, lines) = sync_channel(1);
    thread::spawn(move || {
        let Some(output) = output else { return };
        let mut output = BufReader::new(output);
        loop {
            let mut line = String::new();
            let read = output.by_ref().take(MAX_LINE).read_line(&mut line);
            let line = match read {
                Ok(0) => Err("the program has ended".to_owned()),
                Ok(_) if !line.ends_with('\n') => Err("the program has ended within a line".to_owned()),
                Ok(_) if line.trim().is_empty() => continue,
                Ok(_) => Ok(line),
                Err(e) => Err(format!("the program's output cannot be read: {e}")),
            };
            let over = line.is_err();
            if to.send(line).is_err() || over {
                return;
            }
        }
    });
    Ok(Program { child, input: Some(input), written, lines })
}

/// Says what a program says, line by line, until it ends.
fn pass_on(name: String, said: ChildStderr) {
    thread::spawn(move || {
        let mut said = BufReader::new(said);
        let mut line = Vec::new();
        loop {
            line.clear();
            match said.by_ref().take(MAX_SAID).read_until(b'\n', &mut line) {
                Ok(n) if n > 0 => log::warn(format_args!("{name}: {}", String::from_utf8_lossy(&line).trim_end())),
                _ => return,
            }
        }
    });
}

/// Writes requests until there are none any more; then the program's input ends.
fn write(input: Option<ChildStdin>, requests: &Receiver<String>, tell: &SyncSender<Result<(), String>>) {
    let Some(mut input) = input else { return };
    while let Ok(frame) = requests.recv() {
        let written = input.write_all(frame.as_bytes()).and_then(|()| input.flush());
        if tell.send(written.map_err(|e| format!("the program takes nothing: {e}"))).is_err() {
            return;
        }
    }
}

/// What comes from a thread, within a wait.
fn within<T>(from: &Receiver<Result<T, String>>, wait: &Wait) -> Result<T, QueryError> {
    loop {
        match from.recv_timeout(TICK) {
            Ok(came) => return came.map_err(QueryError::Lost),
            Err(RecvTimeoutError::Disconnected) => return Err(QueryError::Lost("the program has ended".to_owned())),
            Err(RecvTimeoutError::Timeout) => ended(wait)?,
        }
    }
}

impl Frames for Program {
    fn send(&mut self, frame: &str, wait: &Wait) -> Result<(), QueryError> {
        let to = self.input.as_ref();
        // One that was given up is still being written: the connection is of no use any more.
        if to.is_none_or(|to| to.try_send(format!("{frame}\n")).is_err()) {
            return Err(QueryError::Lost("the program takes nothing".to_owned()));
        }
        within(&self.written, wait)
    }

    fn receive(&mut self, wait: &Wait) -> Result<String, QueryError> {
        within(&self.lines, wait)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Its input ends, and with it the program; one that stays is killed.
        self.input = None;
        for _ in 0..20 {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            thread::sleep(Duration::from_millis(25));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
