//! A PostgreSQL of the test's own with a QSYS2 in it (`tests/tools/odbc`), reached through unixODBC and psqlodbc.
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Once,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    program::{folder, make},
    system::tools,
    unused_port,
};

/// Bytes of entry data that a record of the capture has room for.
const ROOM: u32 = 32_000;
/// What makes quoting necessary in every place that it passes through.
pub const PASSWORD: &str = "it's {secret};+%";

/// A server, and the folders it and the test use.
pub struct Postgres {
    server: Option<Child>,
    programs: PathBuf,
    /// The server's own: another user's.
    home: TempDir,
    pub dir: TempDir,
    pub port: u16,
    /// What a right decoder says of each template.
    pub templates: Vec<Value>,
}

impl Postgres {
    /// With entries made by `make_capture.py ARGS` as templates, and one empty receiver.
    pub fn start(args: &str) -> Postgres {
        static FETCHED: Once = Once::new();
        FETCHED.call_once(|| {
            let fetched = Command::new(tools().join("fetch_odbc.sh")).output().unwrap();
            assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
        });
        let (dir, home) = (folder(), TempDir::with_prefix("qaudjrn-postgres-").unwrap());
        if is_root() {
            run(Command::new("chown").arg("postgres:").arg(home.path()));
        }
        let port = unused_port();
        let made = make(&dir, "day.type5", &format!("--entdtalen {ROOM} {args}"));
        let mut own = Postgres { server: None, programs: programs(), home, dir, port, templates: made.truth };
        let options = "--username=postgres --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync";
        run(own.as_user("initdb").args(options.split(' ')).arg("--pgdata").arg(own.home.path().join("data")));
        own.start_server();
        own.psql("postgres", "CREATE DATABASE prod01");
        own.psql("postgres", "ALTER DATABASE prod01 SET timezone = 'Etc/GMT-2'");
        own.psql("postgres", "ALTER DATABASE prod01 SET search_path = qsys2, public");
        own.sql(&fs::read_to_string(tools().join("odbc/qsys2.sql")).unwrap());
        let copy =
            Command::new("python3").arg(tools().join("odbc/entries.py")).arg(&made.path).arg(ROOM.to_string()).output();
        own.sql(&String::from_utf8(copy.unwrap().stdout).unwrap());
        own
    }

    /// A command as the user that the server runs as: it refuses to run as root.
    fn as_user(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        if is_root() {
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
        }
        command.args(["--pdeathsig", "QUIT", "--"]).arg(self.programs.join(program)).current_dir(self.home.path());
        command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        command
    }

    /// Starts the server, on the same port as before, and waits until it answers.
    pub fn start_server(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join("server.log")).unwrap();
        let mut command = self.as_user("postgres");
        command
            .arg("-D")
            .arg(self.home.path().join("data"))
            .args(["-p", &self.port.to_string(), "-k"])
            .arg(self.home.path());
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "log_connections=on", "max_connections=20"] {
            command.args(["-c", setting]);
        }
        self.server = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let end = Instant::now() + Duration::from_secs(60);
        while self.command("postgres").args(["-c", "SELECT 1"]).output().is_ok_and(|o| !o.status.success()) {
            assert!(Instant::now() < end, "the server does not start: {}", self.log());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// At once, with every connection.
    pub fn stop_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status();
            let _ = server.wait();
        }
    }

    fn command(&self, database: &str) -> Command {
        let mut command = Command::new(self.programs.join("psql"));
        command.arg("-h").arg(self.home.path()).args(["-p", &self.port.to_string(), "-U", "postgres", "-d", database]);
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        command
    }

    fn psql(&self, database: &str, text: &str) -> String {
        let mut child = self
            .command(database)
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let text = text.to_owned();
        let writer = thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// What its owner says to the system; lines of an answer.
    pub fn sql(&self, text: &str) -> String {
        self.psql("prod01", text)
    }

    /// `sql` from another thread of the system, which goes on meanwhile.
    pub fn sql_meanwhile(&self, text: &str) -> Child {
        self.command("prod01").args(["-c", text]).stdout(Stdio::null()).spawn().unwrap()
    }

    /// A source that a file with a connection string leads to.
    pub fn source(&self, rest: &str) -> String {
        let file = self.private("connection", &self.connection(PASSWORD));
        format!("[[source]]\nname = \"prod01\"\nkind = \"odbc\"\nconnection = \"{}\"\n{COMMON}{rest}\n", file.display())
    }

    /// A connection string.
    pub fn connection(&self, password: &str) -> String {
        let quoted = password.replace('}', "}}");
        format!(
            "Driver={{PostgreSQL Unicode}};Servername=127.0.0.1;Port={};Database=prod01;UID=AUDITOR;PWD={{{quoted}}}",
            self.port
        )
    }

    /// A source that a data source of `odbc.ini` leads to, which is to be in `$ODBCINI`.
    pub fn source_by_dsn(&self, rest: &str) -> String {
        let ini =
            format!("[PROD01]\nDriver=PostgreSQL Unicode\nServername=127.0.0.1\nPort={}\nDatabase=prod01\n", self.port);
        fs::write(self.odbc_ini(), ini).unwrap();
        let file = self.private("password", PASSWORD);
        format!(
            "[[source]]\nname = \"prod01\"\nkind = \"odbc\"\ndsn = \"PROD01\"\nuser = \"AUDITOR\"\npassword = \"{}\"\n{COMMON}{rest}\n",
            file.display()
        )
    }

    /// Where [`Postgres::source_by_dsn`] writes its data source.
    pub fn odbc_ini(&self) -> PathBuf {
        self.dir.path().join("odbc.ini")
    }

    /// A file that nobody else can read.
    pub fn private(&self, name: &str, line: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, format!("{line}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The log of the server.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("server.log")).unwrap_or_default()
    }

    /// Ids of what it has, in order, with the template of each.
    pub fn truth(&self) -> Vec<(String, usize)> {
        let rows = self.sql(
            "SELECT r.name || ':' || e.sequence || ' ' || e.template FROM ibmi.entry e JOIN ibmi.receiver r ON r.place = e.receiver ORDER BY r.place, e.sequence",
        );
        let parsed = rows.lines().map(|l| l.split_once(' ').unwrap());
        parsed.map(|(id, n)| (id.to_owned(), n.parse().unwrap())).collect()
    }

    /// A number that it answers.
    pub fn number(&self, sql: &str) -> f64 {
        self.sql(sql).parse().unwrap_or_else(|e| panic!("{sql}: {e}"))
    }
}

const COMMON: &str = "dialect = \"postgresql\"\ntimezone = \"Etc/GMT-2\"\npoll_interval = 1\n";

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop_server();
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

/// Where the newest server's programs are.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("fetch_odbc.sh has installed PostgreSQL");
    let version = |path: &Path| path.file_name().and_then(|n| n.to_str()?.parse::<u32>().ok());
    let newest =
        versions.flatten().map(|e| e.path()).filter(|p| p.join("bin/initdb").exists()).max_by_key(|p| version(p));
    newest.expect("a version").join("bin")
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
