//! Asking a live system once: who answers, whether the journal is there, what time it is there.
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::time::timeout;

use super::{Context, certificate, finding::Finding, silent};
use crate::{
    clock,
    config::{SourceConfig, source::Input},
    net::{connect::Connector, tls::witness::Witness},
    source::live::{
        Database, LiveOptions,
        mapepire::Transport,
        odbc::Login,
        query::{Query, QueryError, text},
        statements,
        system::{self, System},
    },
};

/// Farther apart clocks are told as odd.
const APART: Duration = Duration::from_secs(5);

/// The places of the live sources, in groups that log in to the same system as the same user.
pub fn by_login(sources: &[SourceConfig]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, source) in sources.iter().enumerate() {
        if let Input::Live(options) = &source.input {
            let login = login(&options.database).unwrap_or_else(|| format!("{place}"));
            groups.entry(login).or_default().push(place);
        }
    }
    groups.into_values().collect()
}

/// Who logs in where; `None` where only the program knows that is started.
fn login(to: &Database) -> Option<String> {
    match to {
        Database::Mapepire(m) => match &m.transport {
            Transport::Socket(s) => Some(format!("{} as {}", s.address.host, s.user)),
            Transport::Program(_) => None,
        },
        Database::Odbc(o) => match &o.login {
            Login::Dsn { dsn, user } => Some(format!("{dsn} as {}", user.as_ref().map_or("", |(name, _)| name))),
            Login::Connection(file) => Some(file.to_string()),
        },
    }
}

/// Asks those that log in alike, one after the other; behind a login that failed the others are not tried.
pub async fn ask_in_turn(context: Arc<Context>, places: Vec<usize>) -> Vec<(usize, Vec<Finding>)> {
    let mut all = Vec::new();
    let mut refused: Option<String> = None;
    for place in places {
        let Some(source) = context.config.sources.get(place) else { continue };
        let Input::Live(options) = &source.input else { continue };
        let of = format!("source {}", source.name);
        if let Some(other) = &refused {
            let text = format!(
                "not asked: source {other} logs in alike, and was not let in; three refusals disable the profile"
            );
            all.push((place, vec![Finding::failed(of, text)]));
            continue;
        }
        let (found, is_refused) = ask(&context, source, options, &of).await;
        if is_refused {
            refused = Some(source.name.clone());
        }
        all.push((place, found));
    }
    all
}

/// What a system answers.
struct Answer {
    job: String,
    system: System,
    /// Our time when it was asked and when it had answered.
    between: (DateTime<Utc>, DateTime<Utc>),
    /// The attached receiver; `None` where no journal is to be seen, or why it could not be asked for.
    receiver: Result<Option<String>, String>,
}

/// Whether the login may count as refused comes with it.
async fn ask(context: &Context, source: &SourceConfig, options: &LiveOptions, of: &str) -> (Vec<Finding>, bool) {
    let witness = Witness::default();
    let connector = Connector { witness: Some(witness.clone()), limit: context.limit, ..Connector::default() };
    let asked = timeout(context.limit, questions(options, &connector)).await;
    let mut found = Vec::new();
    let tls = match &options.database {
        Database::Mapepire(m) => match &m.transport {
            Transport::Socket(s) => Some((&s.tls, &s.address)),
            Transport::Program(_) => None,
        },
        Database::Odbc(_) => None,
    };
    let handshake = witness.take();
    let trust = tls.filter(|_| handshake.as_ref().is_some_and(|h| h.version.is_some()));
    let trust = trust.map(|(tls, address)| certificate::trust(tls, &address.host));
    let mut is_refused = false;
    match asked {
        // Whether the login counted nobody knows.
        Err(_) => {
            is_refused = true;
            let text = format!("{}: {}", silent(context.limit), advice_for_silence(&options.database));
            found.push(Finding::failed(of, text));
        }
        Ok(Err(e)) => {
            is_refused = matches!(e, QueryError::Refused(_) | QueryError::Unsure(_));
            let advice = if is_refused {
                "; it was tried once, because three refusals disable the profile: set user and password right before you try again"
            } else {
                ""
            };
            found.push(Finding::failed(of, format!("{e}{advice}")).with("login_refused", is_refused));
        }
        Ok(Ok(answer)) => answered(source, options, of, (&answer, trust), &mut found),
    }
    if let Some(handshake) = &handshake {
        found.extend(certificate::chain(of, handshake));
    }
    (found, is_refused)
}

fn advice_for_silence(to: &Database) -> &'static str {
    match to {
        Database::Mapepire(_) => {
            "is it the port of a Mapepire server, and does nothing on the way drop what is sent to it?"
        }
        Database::Odbc(_) => "does the driver reach the system? isql -v DSN USER PASSWORD shows it without the agent",
    }
}

async fn questions(options: &LiveOptions, connector: &Connector) -> Result<Answer, QueryError> {
    let (mut db, job) = options.database.connect(connector).await?;
    let answered = async {
        let began = clock::now();
        let system = System::ask(&mut db).await?;
        let between = (began, clock::now());
        let (library, name) = (options.tail.library.as_str(), options.tail.journal.as_str());
        let receiver = match db.all(statements::JOURNAL, &[library, name]).await {
            Ok(rows) => Ok(rows.first().map(|row| format!("{}/{}", text(row, 0), text(row, 1)))),
            Err(e @ QueryError::Sql { .. }) => Err(e.to_string()),
            Err(e) => return Err(e),
        };
        Ok(Answer { job: String::new(), system, between, receiver })
    }
    .await;
    db.end().await;
    answered.map(|answer| Answer { job, ..answer })
}

fn answered(
    source: &SourceConfig,
    options: &LiveOptions,
    of: &str,
    (answer, trust): (&Answer, Option<(bool, String)>),
    found: &mut Vec<Finding>,
) {
    let System { name, user, .. } = &answer.system;
    let verified = trust.as_ref().is_none_or(|(is, _)| *is);
    let how = trust.map_or(String::new(), |(_, how)| format!("; {how}"));
    let text = format!("{name} answers, logged in as {user} ({}){how}", answer.job);
    let finding = if verified { Finding::ok(of, text) } else { Finding::warning(of, text) };
    found.push(finding.with("system", name.as_str()).with("user", user.as_str()).with("verified", verified));
    if options.journal {
        found.push(journal(options, of, user, &answer.receiver));
    }
    found.push(clocks(of, answer));
    if let Some(text) = answer.system.offset.and_then(|there| system::other_zone(there, source.zone, clock::now())) {
        found.push(Finding::warning(of, text));
    }
}

fn journal(options: &LiveOptions, of: &str, user: &str, receiver: &Result<Option<String>, String>) -> Finding {
    let journal = format!("{}/{}", options.tail.library, options.tail.journal);
    let doctor = "qaudjrn doctor says more";
    match receiver {
        Ok(Some(receiver)) => {
            Finding::ok(of, format!("the journal {journal} is there, with the receiver {receiver} attached; {doctor}"))
                .with("receiver", receiver.as_str())
        }
        Ok(None) => Finding::failed(
            of,
            format!("{user} sees no journal {journal}: it is not there, or the profile may not see it; {doctor}"),
        ),
        Err(e) => Finding::failed(of, format!("the journal {journal} cannot be asked for: {e}; {doctor}")),
    }
}

/// How far the clocks are apart, as far as the way of the answer lets that be known.
fn clocks(of: &str, answer: &Answer) -> Finding {
    let Some(there) = answer.system.utc() else {
        return Finding::note(
            of,
            format!(
                "how far its clock is from ours is not known: it says {:?} and no offset from UTC that can be read",
                answer.system.now
            ),
        );
    };
    let (asked, answered) = answer.between;
    let half = (answered - asked) / 2;
    let apart = there - (asked + half);
    let seconds = |d: chrono::TimeDelta| d.num_milliseconds() as f64 / 1_000.0;
    let (apart, unsure) = (seconds(apart), seconds(half).abs());
    let way = if apart < 0.0 { "behind" } else { "ahead of" };
    let text = format!("its clock is {:.1} s {way} ours, give or take {unsure:.1} s", apart.abs());
    let finding = if apart.abs() > APART.as_secs_f64() + unsure {
        Finding::warning(
            of,
            format!("{text}: times in the SIEM are the system's, so see which of them follows a time server"),
        )
    } else {
        Finding::ok(of, text)
    };
    finding.with("clock", json!({ "ahead_seconds": apart, "give_or_take_seconds": unsure }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::check::connect::finding::Level;

    /// What is said of a system whose clock shows so many seconds more than ours, and that answers after so many.
    fn said(ahead: i64, took: i64) -> Finding {
        let asked = DateTime::from_timestamp(1_795_158_000, 0).unwrap();
        let between = (asked, asked + chrono::TimeDelta::seconds(took));
        // Two hours east of UTC, when half the time had passed.
        let shows = asked + chrono::TimeDelta::seconds(took / 2 + ahead + 7_200);
        let now = shows.format("%Y-%m-%d-%H.%M.%S.%6f").to_string();
        let system = System { now, offset: Some(7_200), ..System::default() };
        clocks("source a", &Answer { job: String::new(), system, between, receiver: Ok(None) })
    }

    #[test]
    fn clocks_that_are_apart_are_told_beyond_what_the_way_of_the_answer_leaves_open() {
        for (ahead, took, level, words) in [
            (0, 0, Level::Ok, "its clock is 0.0 s ahead of ours, give or take 0.0 s"),
            (5, 0, Level::Ok, "5.0 s ahead of ours"),
            (-6, 0, Level::Warning, "6.0 s behind ours"),
            (3_600, 2, Level::Warning, "3600.0 s ahead of ours, give or take 1.0 s"),
            (-14, 20, Level::Ok, "14.0 s behind ours, give or take 10.0 s"),
        ] {
            let finding = said(ahead, took);
            assert_eq!(finding.level, level, "{finding}");
            assert!(finding.text.contains(words), "{finding}");
        }
        let system = System { now: "soon".to_owned(), ..System::default() };
        let now = clock::now();
        let unknown = clocks("a", &Answer { job: String::new(), system, between: (now, now), receiver: Ok(None) });
        assert_eq!(unknown.level, Level::Note);
    }
}
