//! Frames over the standard input and output of a program, a line each: no open port and no stored password.
use std::{mem, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
    time::timeout,
};

use super::{Bound, GOODBYE, QueryError};
use crate::log;

/// The longest line: as the largest frame over a WebSocket.
const MAX_LINE: u64 = 64 << 20;
/// The longest line of its standard error that is shown.
const MAX_SAID: u64 = 4 << 10;

/// A program that is running. It is ended by [`end`](Program::end), or killed where it is dropped without.
pub struct Program {
    child: Child,
    /// Gone while a frame is on its way: one that was given up is half written, and the connection of no use any more.
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
    /// What came of the next line.
    line: Vec<u8>,
    said: Option<JoinHandle<()>>,
}

impl Program {
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
        let said = child.stderr.take().map(|said| tokio::spawn(pass_on(name.clone(), said)));
        let (input, output) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        Ok(Program { child, input, output, line: Vec::new(), said })
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: &str, bound: &Bound) -> Result<(), QueryError> {
        let Some(mut input) = self.input.take() else {
            return Err(QueryError::Lost("the program takes nothing".to_owned()));
        };
        let write = async {
            input.write_all(format!("{frame}\n").as_bytes()).await?;
            input.flush().await
        };
        bound.within(write).await?.map_err(|e| QueryError::Lost(format!("the program takes nothing: {e}")))?;
        self.input = Some(input);
        Ok(())
    }

    /// The next frame. The program waits, as over a socket, when nobody reads.
    pub async fn receive(&mut self, bound: &Bound) -> Result<String, QueryError> {
        bound.within(self.next_line()).await?.map_err(QueryError::Lost)
    }

    /// The next line that is not blank. What came of one when the wait for it ends is kept.
    async fn next_line(&mut self) -> Result<String, String> {
        let Some(output) = &mut self.output else { return Err("the program has ended".to_owned()) };
        loop {
            let room = MAX_LINE.saturating_sub(self.line.len() as u64);
            let read = (&mut *output).take(room).read_until(b'\n', &mut self.line).await;
            read.map_err(|e| format!("the program's output cannot be read: {e}"))?;
            let line = mem::take(&mut self.line);
            if line.is_empty() {
                return Err("the program has ended".to_owned());
            }
            if !line.ends_with(b"\n") {
                return Err(if line.len() as u64 == MAX_LINE {
                    format!("a line of the program is longer than {MAX_LINE} bytes")
                } else {
                    "the program has ended within a line".to_owned()
                });
            }
            let line = String::from_utf8(line)
                .map_err(|_| "the program's output cannot be read: stream did not contain valid UTF-8".to_owned())?;
            if !line.trim().is_empty() {
                return Ok(line);
            }
        }
    }

    /// Its number, which is that of its group; `None` once it has been waited for.
    fn group(&self) -> Option<Pid> {
        self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
    }

    /// Whether it has ended. It is not waited for: its number stays its own, and that of its group.
    fn is_over(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.group().is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), options), Ok(None)))
    }

    /// Waits until it has ended, without taking its number from it.
    async fn over(&self) {
        // A child that ends between the question and the wait is told too.
        let Ok(mut children) = signal(SignalKind::child()) else { return };
        while !self.is_over() && children.recv().await.is_some() {}
    }

    /// Its input ends, and with it the program; what stays of its group is killed.
    pub async fn end(mut self) {
        self.input = None;
        let _ = timeout(GOODBYE, self.over()).await;
        self.kill();
        let _ = timeout(GOODBYE, self.child.wait()).await;
        if let Some(said) = self.said.take() {
            // Its last words, such as why it went.
            let _ = timeout(LAST_WORDS, said).await;
        }
    }

    fn kill(&mut self) {
        if let Some(group) = self.group() {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.start_kill();
    }
}

/// How long what it said last may take to be read.
const LAST_WORDS: Duration = Duration::from_millis(100);

impl Drop for Program {
    fn drop(&mut self) {
        if self.child.id().is_some() {
            self.kill();
        }
    }
}

/// Says what a program says, line by line, until it ends.
async fn pass_on(name: String, said: ChildStderr) {
    let mut said = BufReader::new(said);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut said).take(MAX_SAID).read_until(b'\n', &mut line).await {
            Ok(n) if n > 0 => log::warn(format_args!("{name}: {}", String::from_utf8_lossy(&line).trim_end())),
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Read, path::PathBuf, process, thread};

    use tokio::sync::oneshot;
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn shell(script: &str) -> (Program, Bound) {
        let command = ["sh", "-c", script].map(str::to_owned);
        (Program::start(&command).unwrap(), Bound::new(Duration::from_secs(60), &CancellationToken::new()))
    }

    /// Says when nobody holds a named pipe open for writing any more, of those who have opened it.
    fn ends_of(fifo: PathBuf) -> oneshot::Receiver<()> {
        let (tell, ended) = oneshot::channel();
        thread::spawn(move || {
            let mut held = fs::File::open(fifo).unwrap();
            held.read_to_end(&mut Vec::new()).unwrap();
            tell.send(()).unwrap();
        });
        ended
    }

    #[cfg_attr(target_endian = "big", ignore = "beside other tests the shell may give no answer under qemu-user")]
    #[tokio::test]
    async fn r40_what_a_program_has_started_ends_with_it_also_where_it_has_ended_before_or_is_only_dropped() {
        let dir = tempfile::tempdir().unwrap();
        for (n, (started, then, is_dropped)) in [
            ("sleep 300", "cat", false),
            ("sleep 300", "wait", false),
            ("sleep 300 >/dev/null 2>&1", "", false),
            ("sleep 300", "wait", true),
        ]
        .into_iter()
        .enumerate()
        {
            let fifo = dir.path().join(format!("held{n}"));
            assert!(process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
            let mut ended = ends_of(fifo.clone());
            // What is started inherits the pipe, and the shell closes it.
            let (mut program, bound) =
                shell(&format!("exec 9>'{}'; {started} & exec 9>&-; echo on; {then}", fifo.display()));
            assert_eq!(program.receive(&bound).await.unwrap().trim(), "on");
            assert!(ended.try_recv().is_err(), "{started} {then}");
            if is_dropped {
                drop(program);
            } else {
                program.end().await;
            }
            let ended = timeout(Duration::from_secs(60), ended).await;
            ended.unwrap_or_else(|_| panic!("{started} {then}: it is left behind")).unwrap();
        }
    }

    #[tokio::test]
    async fn r40_a_line_that_is_too_long_is_called_so_and_no_end_of_the_program() {
        let (mut program, bound) = shell(&format!("head -c {} /dev/zero; sleep 300", MAX_LINE + 1));
        let why = program.receive(&bound).await.unwrap_err().to_string();
        assert!(why.contains("longer than 67108864 bytes"), "{why}");
        let (mut program, bound) = shell("printf 'half a line'");
        let why = program.receive(&bound).await.unwrap_err().to_string();
        assert!(why.contains("has ended within a line"), "{why}");
    }

    #[cfg_attr(target_endian = "big", ignore = "beside other tests the shell may give no answer under qemu-user")]
    #[tokio::test]
    async fn r40_half_a_line_waits_for_its_other_half_and_a_program_that_reads_nothing_holds_nobody_up() {
        let (mut program, bound) = shell("printf 'one '; read go; echo two; exec sleep 300");
        let short = Bound::new(Duration::from_millis(50), &CancellationToken::new());
        let why = program.receive(&short).await.unwrap_err().to_string();
        assert_eq!(why, "no answer within 0.05 s");
        program.send("go", &bound).await.unwrap();
        assert_eq!(program.receive(&bound).await.unwrap(), "one two\n");
        // More than a pipe holds.
        let short = Bound::new(Duration::from_millis(50), &CancellationToken::new());
        let why = program.send(&"x".repeat(1 << 20), &short).await.unwrap_err().to_string();
        assert_eq!(why, "no answer within 0.05 s");
        let why = program.send("go", &bound).await.unwrap_err().to_string();
        assert_eq!(why, "the program takes nothing");
    }
}
