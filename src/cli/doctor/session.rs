//! Connecting to a system for `doctor`: as the agent does, or as another profile.
use crate::{
    net::{connect::Connector, tls::pem::Pem},
    runtime::block_on,
    source::live::{Connection, Database, LiveOptions, mapepire::Transport, odbc::Login, query::QueryError},
};

/// Who asks, where that is not the agent.
#[derive(clap::Args, Debug)]
pub struct Profile {
    /// Ask as this profile, such as an auditor's, not as the agent's
    #[arg(long, value_name = "PROFILE", requires = "password")]
    pub user: Option<String>,
    /// File with its password
    #[arg(long, value_name = "FILE", requires = "user")]
    password: Option<String>,
}

impl Profile {
    /// Logs in, asks, and ends the connection.
    pub fn ask<T>(
        &self,
        options: &LiveOptions,
        questions: impl AsyncFnOnce(&mut Connection) -> Result<T, String>,
    ) -> Result<T, String> {
        let asked = block_on(async {
            let mut db = self.connect(options).await?;
            let answers = questions(&mut db).await;
            db.end().await;
            answers
        });
        asked.map_err(|e| format!("the system has no room for a connection: {e}"))?
    }

    /// Logs in, once: a login that is refused is not tried again, because three disable the profile.
    async fn connect(&self, options: &LiveOptions) -> Result<Connection, String> {
        let mut to = options.database.clone();
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            let password = Pem::parse(password)?;
            match &mut to {
                Database::Mapepire(options) => match &mut options.transport {
                    Transport::Socket(socket) => (socket.user, socket.password) = (user.clone(), password),
                    Transport::Program(_) => return Err("--user: with command, the program logs in".to_owned()),
                },
                Database::Odbc(options) => match &mut options.login {
                    Login::Dsn { user: own, .. } => *own = Some((user.clone(), password)),
                    Login::Connection(_) => return Err("--user: with connection, its file says who logs in".to_owned()),
                },
            }
        }
        to.connect(&Connector::default()).await.map(|(db, _)| db).map_err(|e| match e {
            QueryError::Refused(_) => format!("{e}; it was tried once, because three refusals disable the profile"),
            e => e.to_string(),
        })
    }
}
