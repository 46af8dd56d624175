//! The sources that `init` writes: what is asked for each, and its table.
use anyhow::anyhow;
use clap::ValueEnum;

use super::{Args, Place, ask::Asker, siem::quoted};
use crate::{cli::exit::Failure, source::live::odbc};

/// Where entries come from.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The journal of a live system, by queries to its Mapepire server
    Live,
    /// The same through IBM's ODBC driver
    Odbc,
    /// A folder that captures of DSPJRN arrive in
    Folder,
    /// One capture of DSPJRN, followed as it grows
    File,
    /// A program on the IBM i that sends entries
    Stream,
}

/// A source, and what was answered for it.
pub enum Source {
    /// Host of the system, profile.
    Live(String, String),
    /// Data source, profile.
    Odbc(String, String),
    /// Its path.
    Folder(String),
    /// Its path.
    File(String),
    /// Where it listens.
    Stream(String),
}

impl Source {
    /// Asks for what the kind needs. What belongs to another kind is an error.
    pub fn new(kind: Kind, place: Place, system: &str, args: &Args, asker: &mut Asker) -> Result<Source, Failure> {
        use Kind::{File, Folder, Live, Odbc, Stream};
        let of_kinds: [(&str, bool, &[Kind]); 5] = [
            ("--address", args.address.is_some(), &[Live]),
            ("--user", args.user.is_some(), &[Live, Odbc]),
            ("--dsn", args.dsn.is_some(), &[Odbc]),
            ("--path", args.path.is_some(), &[Folder, File]),
            ("--listen", args.listen.is_some(), &[Stream]),
        ];
        if let Some((option, ..)) = of_kinds.iter().find(|(_, given, kinds)| *given && !kinds.contains(&kind)) {
            let name = kind.to_possible_value().map_or(String::new(), |v| v.get_name().to_owned());
            return Err(Failure::usage(anyhow!("{option} is for another --source than {name}: leave it out")));
        }
        let on_the_system = place == Place::Pase;
        let lower = system.to_lowercase();
        Ok(match kind {
            Live => {
                let host = if on_the_system { "localhost" } else { &lower };
                let what = ("--address", "Host of the IBM i, where Mapepire runs");
                let address = asker.text(args.address.as_ref(), what, Some(host))?;
                Source::Live(address, profile(args, asker)?)
            }
            Odbc if !odbc::IS_BUILT => return Err(Failure::usage(anyhow!("--source odbc: {}", odbc::NOT_BUILT))),
            Odbc => {
                let what = ("--dsn", "Data source of odbc.ini");
                let dsn = asker.text(args.dsn.as_ref(), what, Some(system))?;
                Source::Odbc(dsn, profile(args, asker)?)
            }
            Folder => {
                let usual = if on_the_system { "/QOpenSys/var/lib/audit" } else { "/srv/audit" };
                let what = ("--path", "Folder that the captures arrive in");
                Source::Folder(asker.text(args.path.as_ref(), what, Some(&format!("{usual}/{lower}")))?)
            }
            File => Source::File(asker.text(args.path.as_ref(), ("--path", "The capture"), None)?),
            Stream => {
                let usual = if on_the_system { "tcp://127.0.0.1:7171" } else { "tls://0.0.0.0:7171" };
                let what = ("--listen", "Where the sender connects to");
                Source::Stream(asker.text(args.listen.as_ref(), what, Some(usual))?)
            }
        })
    }

    /// Its table.
    pub fn table(&self, system: &str, zone: &str) -> String {
        let name = system.to_lowercase();
        let password = |name: &str| {
            format!(
                "password = {}   # a file with it in its first line, never the password itself\n",
                quoted(&format!("credential:{name}.password"))
            )
        };
        let own = match self {
            Source::Live(address, user) => format!(
                "kind = \"mapepire\"\naddress = {}\nuser = {}\n{}# pin = \"sha256:...\"       # trust its one certificate: qaudjrn pin HOST:8076\n# ca = \"prod-ca.pem\"        # or the CA that signed it; without both the CAs of this system count\nfrom = \"now\"               # oldest: what is in the receivers too; only for the first start\n",
                quoted(address),
                quoted(user),
                password(&name)
            ),
            Source::Odbc(dsn, user) => format!(
                "kind = \"odbc\"\ndsn = {}\nuser = {}\n{}from = \"now\"               # oldest: what is in the receivers too; only for the first start\n",
                quoted(dsn),
                quoted(user),
                password(&name)
            ),
            Source::Folder(path) => format!(
                "kind = \"directory\"\npath = {}\ncomplete = \"stable\"        # a file is read when it has not changed for 10 s\nafter = \"keep\"             # move: to done within the folder when every output has delivered it; delete\n",
                quoted(path)
            ),
            Source::File(path) => format!(
                "kind = \"capture\"\npath = {}\nfollow = true              # false: once, to its end\n",
                quoted(path)
            ),
            Source::Stream(listen) => {
                let tls = if listen.starts_with("tls://") {
                    "cert = \"credential:stream.pem\"         # shown to the sender\nkey = \"credential:stream.key\"\nclient_ca = \"credential:stream-ca.pem\" # the CA of the certificate that it must show\n"
                } else {
                    ""
                };
                format!(
                    "kind = \"stream\"\nlisten = {}\n{tls}input = \"type5\"            # the heading of its records\n",
                    quoted(listen)
                )
            }
        };
        let of_older = match self {
            Source::Folder(_) | Source::File(_) => {
                format!(
                    "# system = {}          # for *TYPE1 headings and the history log, which hold none\n",
                    quoted(system)
                )
            }
            _ => String::new(),
        };
        format!(
            "[[source]]\nname = {}\n{own}timezone = {}  # where the system is: entries carry its local time\nccsid = 37                 # of its jobs: 273 in Germany, and so on\n{of_older}",
            quoted(&name),
            quoted(zone)
        )
    }

    /// Files with secrets, by the names that the configuration has for them.
    pub fn credentials(&self, system: &str) -> Vec<String> {
        let name = system.to_lowercase();
        match self {
            Source::Live(..) | Source::Odbc(..) => vec![format!("{name}.password")],
            Source::Stream(listen) if listen.starts_with("tls://") => {
                ["stream.pem", "stream.key", "stream-ca.pem"].map(str::to_owned).to_vec()
            }
            Source::Folder(_) | Source::File(_) | Source::Stream(_) => Vec::new(),
        }
    }

    /// The profile that asks, where one does.
    pub fn profile(&self) -> Option<&str> {
        match self {
            Source::Live(_, user) | Source::Odbc(_, user) => Some(user),
            Source::Folder(_) | Source::File(_) | Source::Stream(_) => None,
        }
    }
}

/// It stands in commands of CL too.
fn profile(args: &Args, asker: &mut Asker) -> Result<String, Failure> {
    let user = asker.text(args.user.as_ref(), ("--user", "Profile that asks"), Some("QAUDLOG"))?;
    let is_right = |c: char| c.is_ascii_alphanumeric() || "_#@$".contains(c);
    if (1..=10).contains(&user.len()) && user.chars().all(is_right) {
        return Ok(user);
    }
    Err(Failure::usage(anyhow!(
        "--user {user:?}: expected a user profile: 1 to 10 letters, digits, \"_\", \"#\", \"@\" and \"$\""
    )))
}
