//! A simulated system behind a Mapepire server: `tests/tools/ibmi`, as a process of its own.
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Once,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{agent::Agent, program::folder, root};

/// `tests/tools`.
pub fn tools() -> PathBuf {
    root().join("tests/tools")
}

/// A file that only its owner reads.
pub fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A simulated system behind a Mapepire server.
pub struct System {
    child: Child,
    pub port: u64,
    control: PathBuf,
    pub dir: TempDir,
}

impl System {
    /// Starts one, on a free port: `mapepire.py ARGS`.
    pub fn start(args: &str) -> System {
        static FETCHED: Once = Once::new();
        FETCHED.call_once(|| {
            let fetched = Command::new(tools().join("fetch_python.sh")).output().unwrap();
            assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
        });
        let dir = folder();
        let made = Command::new(tools().join("ibmi/make_cert.sh")).arg(dir.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        System::on(dir, 0, args)
    }

    /// Starts one again, in a folder that another left.
    pub fn on(dir: TempDir, port: u64, args: &str) -> System {
        let control = dir.path().join("control");
        let _ = fs::remove_file(&control);
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(tools().join("../../target/venv/bin/python"));
        command.arg(tools().join("ibmi/mapepire.py")).args(["--port", &port.to_string(), "--cert"]);
        command.arg(dir.path().join("cert.pem")).arg("--key").arg(dir.path().join("key.pem"));
        command.arg("--control").arg(&control).args(args.split_whitespace());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).expect("the port");
        System { child, port: told["port"].as_u64().unwrap(), control, dir }
    }

    /// Gives it a command over its control socket; its answer.
    pub fn tell(&self, command: Value) -> Value {
        let mut stream = UnixStream::connect(&self.control).unwrap();
        writeln!(stream, "{command}").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["ok"], true, "{command}: {answer}");
        answer
    }

    /// A source of `run` that reads it.
    pub fn source(&self, rest: &str) -> String {
        let password = self.dir.path().join("password");
        private(&password, "secret\n");
        format!(
            "[[source]]\nname = \"prod01\"\nkind = \"mapepire\"\naddress = \"localhost:{}\"\nuser = \"AUDITOR\"\npassword = \"{}\"\nca = \"{}\"\ntimezone = \"Etc/GMT-2\"\npoll_interval = 1\n{rest}\n",
            self.port,
            password.display(),
            self.dir.path().join("cert.pem").display()
        )
    }

    /// Ids and kinds of what it has, or had, in order.
    pub fn truth(&self) -> Vec<(String, String)> {
        let path = self.dir.path().join("truth");
        self.tell(json!({"cmd": "truth", "codes": "T J", "deleted": true, "path": path}));
        let text = fs::read_to_string(path).unwrap();
        let parsed = text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
        parsed.map(|l| (l["id"].as_str().unwrap().to_owned(), l["kind"].as_str().unwrap().to_owned())).collect()
    }

    /// How often it was asked for something, such as CHAIN: the receivers, which every look at the journal begins with.
    pub fn asked(&self, statement: &str) -> u64 {
        self.tell(json!({"cmd": "stats"}))["statements"][statement].as_u64().unwrap_or(0)
    }

    /// Waits until it was asked so often again: whatever the agent makes of what is there, it has made of it then.
    #[track_caller]
    pub fn wait_for_looks(&self, agent: &Agent, statement: &str, looks: u64) {
        let before = self.asked(statement);
        agent.wait("another look", Duration::from_secs(60), || self.asked(statement) >= before + looks);
    }

    /// Nothing but queries that it knows, and never two of the journal within a second.
    #[track_caller]
    pub fn was_treated_well(&self) -> Value {
        let stats = self.tell(json!({"cmd": "stats"}));
        assert_eq!((&stats["refused"], &stats["violations"]), (&json!(0), &json!(0)), "{stats}");
        // A second lies between two questions as they are asked. On a busy machine one that arrives late is nearer to the next; without
        // the second they would be milliseconds apart.
        for interval in ["min_page_interval", "min_chain_interval"] {
            assert!(stats[interval].as_f64().is_none_or(|s| s > 0.5), "{stats}");
        }
        stats
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
