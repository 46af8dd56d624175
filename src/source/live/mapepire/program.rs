//! Frames over the standard input and output of a program, a line each: no open port and no stored password.
use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStderr, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::{Frames, QueryError, ended};
use crate::{
    log,
    net::wait::{TICK, Wait},
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
        // What it starts itself ends with it.
        .process_group(0)
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
                Ok(n) if !line.ends_with('\n') && n as u64 == MAX_LINE => {
                    Err(format!("a line of the program is longer than {MAX_LINE} bytes"))
                }
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

impl Program {
    /// Its number, which is that of its group.
    fn group(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Whether it has ended. It is not waited for: its number stays its own, and that of its group.
    fn is_over(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.group().is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), options), Ok(None)))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Its input ends, and with it the program; what stays of its group is killed.
        self.input = None;
        for _ in 0..20 {
            if self.is_over() {
                break;
            }
            thread::sleep(Duration::from_millis(25));
        }
        if let Some(group) = self.group() {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;
    use crate::net::wait::Stop;

    fn shell(script: &str) -> (Program, Wait) {
        let command = ["sh", "-c", script].map(str::to_owned);
        (start(&command).unwrap(), Wait::new(Duration::from_secs(60), &Stop::never()))
    }

    /// Says when nobody holds a named pipe open for writing any more, of those who have opened it.
    fn ends_of(fifo: PathBuf) -> Receiver<()> {
        let (tell, ended) = sync_channel(1);
        thread::spawn(move || {
            let mut held = fs::File::open(fifo).unwrap();
            held.read_to_end(&mut Vec::new()).unwrap();
            tell.send(()).unwrap();
        });
        ended
    }

    #[cfg_attr(target_endian = "big", ignore = "beside other tests the shell may give no answer under qemu-user")]
    #[test]
    fn r40_what_a_program_has_started_ends_with_it_also_where_it_has_ended_before() {
        let dir = tempfile::tempdir().unwrap();
        for (started, then) in [("sleep 300", "cat"), ("sleep 300", "wait"), ("sleep 300 >/dev/null 2>&1", "")] {
            let fifo = dir.path().join(format!("held{}", started.len() + then.len()));
            assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
            let ended = ends_of(fifo.clone());
            // What is started inherits the pipe, and the shell closes it.
            let (mut program, wait) =
                shell(&format!("exec 9>'{}'; {started} & exec 9>&-; echo on; {then}", fifo.display()));
            assert_eq!(program.receive(&wait).unwrap().trim(), "on");
            assert!(ended.try_recv().is_err(), "{started} {then}");
            drop(program);
            ended
                .recv_timeout(Duration::from_secs(60))
                .unwrap_or_else(|_| panic!("{started} {then}: it is left behind"));
        }
    }

    #[test]
    fn r40_a_line_that_is_too_long_is_called_so_and_no_end_of_the_program() {
        let (mut program, wait) = shell(&format!("head -c {} /dev/zero; sleep 300", MAX_LINE + 1));
        let why = program.receive(&wait).unwrap_err().to_string();
        assert!(why.contains("longer than 67108864 bytes"), "{why}");
        let (mut program, wait) = shell("printf 'half a line'");
        let why = program.receive(&wait).unwrap_err().to_string();
        assert!(why.contains("has ended within a line"), "{why}");
    }
}
