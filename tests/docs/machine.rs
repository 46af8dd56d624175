//! The machine that the pages talk of: a folder with a capture and a configuration in it, folders below `/etc`, `/var` and `/srv`, the
//! program on the path, and a SIEM that listens.
use std::{
    fs,
    io::{self, Read},
    net::{TcpListener, UdpSocket},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
};

use harness::{
    peers::certificates::Certificates,
    program::{Run, executable, finish, folder, tool},
    root,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tempfile::TempDir;

/// Folders of the machine; all of them are below that of the test.
const FOLDERS: [&str; 7] = [
    "/etc/qaudjrn",
    "/var/lib/qaudjrn",
    "/var/log/qaudjrn",
    "/run/qaudjrn",
    "/srv/audit/prod01",
    "/srv/history/prod01",
    "/home/siem",
];
/// Names of the pages for the SIEM over TLS, and for one that takes datagrams.
const SIEM: &str = "siem.example.com:6514";
/// The Mapepire server of an IBM i: here only its certificate is ever looked at, which the SIEM shows as well.
const MAPEPIRE: &str = "prod01.example.com:8076";
const SIEM_UDP: &str = "10.0.0.5:514";
/// A fingerprint that pages leave out.
const PIN: &str = "sha256:...";

pub struct Machine {
    dir: TempDir,
    tls: u16,
    /// Held, so that datagrams have somebody to arrive at.
    udp: UdpSocket,
}

impl Machine {
    pub fn new() -> Machine {
        let dir = folder();
        for name in FOLDERS.iter().map(|f| f.trim_start_matches('/')).chain(["home", "bin"]) {
            fs::create_dir_all(dir.path().join(name)).expect("a folder");
        }
        let certificates = Certificates::make(dir.path());
        certificates.server(&["siem.example.com", "127.0.0.1"], 4096);
        certificates.revoke("crl.pem", &[]);
        symlink(executable(), dir.path().join("bin/qaudjrn")).expect("a link");
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let machine = Machine { tls: siem(dir.path()), dir, udp };
        machine.furnish();
        machine
    }

    /// What pages take for granted: the shipped capture as `AUDIT` and a history log file, the example as `agent.toml`.
    fn furnish(&self) {
        let home = self.home();
        symlink(root().join("fixtures"), home.join("fixtures")).expect("a link");
        fs::copy(root().join("fixtures/stories.type5"), home.join("AUDIT")).expect("a capture");
        fs::copy(root().join("agent.toml.example"), home.join("agent.toml.example")).expect("the example");
        fs::copy(root().join("agent.toml.example"), home.join("agent.toml")).expect("the example");
        fs::copy(self.dir.path().join("ca.pem"), home.join("siem-ca.pem")).expect("a certificate");
        tool("make_qhst.py", &home.join("QHST26324A"), &home.join(".truth"), "--count 27");
    }

    /// Where its user is.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// A text of a page with this machine's folders and ports.
    pub fn here(&self, text: &str) -> String {
        let tls = format!("127.0.0.1:{}", self.tls);
        let mut text = text.replace(SIEM, &tls).replace(MAPEPIRE, &tls);
        text = text.replace(SIEM_UDP, &self.udp.local_addr().expect("a port").to_string());
        text = text.replace(PIN, &format!("sha256:{}", "ab".repeat(32)));
        for folder in FOLDERS {
            text = text.replace(folder, &format!("{}{folder}", self.dir.path().display()));
        }
        text
    }

    /// Writes a file of the pages: by its name from home, or as it is.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.home().join(self.here(name));
        self.provide(text);
        fs::write(&path, self.here(text)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
    }

    /// Puts there what a configuration names: certificates, keys, passwords.
    fn provide(&self, text: &str) {
        let files = [
            ("ca", "ca.pem"),
            ("client_ca", "ca.pem"),
            ("cert", "client.pem"),
            ("key", "client.key"),
            ("client_crl", "crl.pem"),
            ("password", "client.key"),
            ("connection", "client.key"),
        ];
        for (key, from) in files {
            for line in text.lines().filter_map(|l| l.trim().strip_prefix(key)?.trim().strip_prefix('=')) {
                let Some(name) = line.split('"').nth(1).filter(|n| !n.starts_with("credential:")) else { continue };
                let to = self.home().join(self.here(name));
                fs::copy(self.dir.path().join(from), &to).unwrap_or_else(|e| panic!("{}: {e}", to.display()));
                fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("a mode");
            }
        }
    }

    /// Runs commands as bash does, ending with the first that fails.
    pub fn run(&self, commands: &str) -> Run {
        let path = format!("{}:{}", self.dir.path().join("bin").display(), std::env::var("PATH").expect("PATH"));
        let mut bash = Command::new("timeout");
        bash.args(["--signal=KILL", "120", "bash", "-euo", "pipefail", "-c", &self.here(commands)]);
        finish(bash_in(bash, &self.home(), &path))
    }
}

fn bash_in(mut bash: Command, home: &Path, path: &str) -> Command {
    bash.current_dir(home).env("PATH", path).env("HOME", home);
    bash
}

/// A receiver over TLS that reads each connection to its end and closes then. Ends with the test.
fn siem(folder: &Path) -> u16 {
    let read = |name: &str| fs::read(folder.join(name)).expect("a file of the certificates");
    let certificates = CertificateDer::pem_slice_iter(&read("server.pem")).map(|c| c.expect("PEM")).collect();
    let key = PrivateKeyDer::from_pem_slice(&read("server.key")).expect("PEM");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|c| c.with_no_client_auth().with_single_cert(certificates, key));
    let config = Arc::new(config.expect("a certificate and its key"));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("a port").port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&config);
            thread::spawn(move || drop(read_to_end(config, stream)));
        }
    });
    port
}

fn read_to_end(config: Arc<rustls::ServerConfig>, mut stream: std::net::TcpStream) -> io::Result<()> {
    let mut session = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
    let mut bytes = [0; 16_384];
    let mut tls = rustls::Stream::new(&mut session, &mut stream);
    while tls.read(&mut bytes)? > 0 {}
    session.send_close_notify();
    session.complete_io(&mut stream).map(drop)
}
