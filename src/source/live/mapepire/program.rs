//! Frames over the standard input and output of a program, a line each: no open port and no stored password.
use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStderr, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use super::{Frames, QueryError};
use crate::{
    log,
    output::wait::{TICK, Wait},
};

/// The longest line: as the largest frame over a WebSocket.
const MAX_LINE: u64 = 64 << 20;

/// A program that is running.
pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
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
    let input = child.stdin.take();
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
    Ok(Program { child, input, lines })
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

impl Frames for Program {
    fn send(&mut self, frame: &str, _: &Wait) -> Result<(), QueryError> {
        // Requests are short, and the program has answered the one before: there is room in the pipe.
        let Some(input) = &mut self.input else { return Err(QueryError::Lost("the program has ended".to_owned())) };
        let written = input.write_all(format!("{frame}\n").as_bytes()).and_then(|()| input.flush());
        written.map_err(|e| QueryError::Lost(format!("the program takes nothing: {e}")))
    }

    fn receive(&mut self, wait: &Wait) -> Result<String, QueryError> {
        loop {
            match self.lines.recv_timeout(TICK) {
                Ok(Ok(line)) => return Ok(line),
                Ok(Err(why)) => return Err(QueryError::Lost(why)),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(QueryError::Lost("the program has ended".to_owned()));
                }
                Err(RecvTimeoutError::Timeout) => wait.check().map_err(|e| match e.kind() {
                    std::io::ErrorKind::TimedOut => QueryError::Lost(e.to_string()),
                    _ => QueryError::Stopped,
                })?,
            }
        }
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
