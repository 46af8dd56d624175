//! What a system answers, with names: asked once, judged by [`super::findings`].
//!
//! A question that the system refuses is an answer of its own, so that the others still count: a release may lack a column, and a
//! profile an authority. A connection that is lost is none: nothing that follows could be asked.
use std::collections::BTreeMap;

use super::questions;
use crate::{
    config::doctor::{DoctorConfig, ObjectName},
    source::live::{
        journal_tail::TailOptions,
        query::{Query, QueryError, Row, text},
        receivers::{self, Receiver},
        statements::{self, Columns},
        system::System,
    },
};

/// An answer, or why there is none.
pub type Asked<T> = Result<T, String>;

/// Receivers whose authority is asked for, the newest.
const RECEIVERS: usize = 20;

/// A journal as the catalog shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// Library and name of the attached receiver.
    pub attached: Option<(String, String)>,
    /// Whether the system deletes detached receivers by itself.
    pub deletes_receivers: bool,
}

/// A receiver and what the list says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The receiver.
    pub receiver: Receiver,
    /// ATTACHED, ONLINE, SAVED, ...
    pub status: String,
}

/// A user profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Whether it cannot sign on.
    pub disabled: bool,
    /// Its class, such as *SECOFR.
    pub class: String,
    /// Its own special authorities.
    pub special: Vec<String>,
    /// Its group profiles.
    pub groups: Vec<String>,
    /// Its action auditing (AUDLVL); empty for *NONE, `None` where it may not be seen.
    pub actions: Option<Vec<String>>,
}

/// Auditing of an object: *NONE, *USRPRF, *CHANGE, *ALL; `None` where it may not be seen.
pub type Auditing = Option<String>;

/// An object that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// Its owner.
    pub owner: String,
    /// Its auditing.
    pub audit: Auditing,
}

/// Objects of a library with the same auditing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Their auditing.
    pub audit: Auditing,
    /// How many.
    pub count: u64,
    /// One of them.
    pub first: String,
}

/// A library that is called sensitive.
#[derive(Clone, Debug)]
pub struct LibraryAnswer {
    /// Its name.
    pub name: String,
    /// The library itself; `None` where it is not there.
    pub itself: Asked<Option<Object>>,
    /// What is in it.
    pub within: Asked<Vec<Counted>>,
}

/// A path that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathFound {
    /// The path.
    pub path: String,
    /// Its auditing.
    pub audit: Auditing,
}

/// The authority of one user to an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Right {
    /// The user, a group, or *PUBLIC.
    pub user: String,
    /// In one word: *USE, *ALL, USER DEFINED, ...
    pub authority: String,
    /// The authorization list that secures the object.
    pub list: String,
    /// In single authorities, as GRTOBJAUT takes them.
    pub single: Vec<&'static str>,
}

/// Everything that was answered.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Name of the system.
    pub system: String,
    /// The profile that asked.
    pub asker: String,
    /// The profile that the agent works under.
    pub agent: String,
    /// The journal that is followed: library, name.
    pub journal_name: (String, String),
    /// System values.
    pub values: Asked<BTreeMap<String, String>>,
    /// The journal; `None` where the catalog shows none.
    pub journal: Asked<Option<Journal>>,
    /// The journal as an object.
    pub journal_object: Asked<Option<Object>>,
    /// Its receivers, oldest first.
    pub chain: Asked<Vec<Listed>>,
    /// Whether the journal can be read: the first entry of the attached receiver was asked for.
    pub reading: Option<Result<(), QueryError>>,
    /// User profiles.
    pub profiles: Asked<Vec<Profile>>,
    /// Who may what, of the journal, the newest receivers, and their libraries.
    pub rights: BTreeMap<ObjectName, Asked<Vec<Right>>>,
    /// The libraries that are called sensitive.
    pub libraries: Vec<LibraryAnswer>,
    /// The objects.
    pub objects: Vec<(ObjectName, Asked<Option<Object>>)>,
    /// The paths, each with what is there: itself, and what is directly in it.
    pub paths: Vec<(String, Asked<Vec<PathFound>>)>,
}

/// Asks everything. `agent` is the profile of the agent where another one asks; `columns` where they are configured.
pub async fn ask(
    db: &mut impl Query,
    options: &TailOptions,
    columns: Option<Columns>,
    agent: Option<&str>,
    sensitive: &DoctorConfig,
) -> Result<Answers, QueryError> {
    let System { name: system, user: asker, .. } = System::ask(db).await?;
    let agent = agent.map_or_else(|| asker.clone(), str::to_uppercase);
    let (library, journal) = (options.library.as_str(), options.journal.as_str());
    let mut answers = Answers {
        journal_name: (library.to_owned(), journal.to_owned()),
        values: values(db).await?,
        journal: journals(db, library, journal).await?,
        journal_object: object(db, library, journal, "*JRN").await?,
        chain: receivers(db, library, journal).await?,
        reading: None,
        profiles: profiles(db).await?,
        rights: BTreeMap::new(),
        libraries: Vec::new(),
        objects: Vec::new(),
        paths: Vec::new(),
        system,
        asker,
        agent,
    };
    if answers.asker == answers.agent {
        answers.reading = reading(db, options, columns, answers.attached()).await?;
    }
    for name in answers.read_by_agent() {
        let rights = asked(db.all(questions::RIGHTS, &[&name.library, &name.name, &name.kind]).await)?;
        answers.rights.insert(name, rights.map(|rows| rows.iter().map(right).collect()));
    }
    for name in &sensitive.libraries {
        let itself = object(db, "QSYS", name, "*LIB").await?;
        let within = asked(db.all(questions::CONTENTS, &[name]).await)?;
        let within = within.map(|rows| rows.iter().map(counted).collect());
        answers.libraries.push(LibraryAnswer { name: name.clone(), itself, within });
    }
    for name in &sensitive.objects {
        answers.objects.push((name.clone(), object(db, &name.library, &name.name, &name.kind).await?));
    }
    for path in &sensitive.paths {
        let rows = asked(db.all(questions::PATH, &[path]).await)?;
        let one = |row: &Row| PathFound { path: text(row, 0).to_owned(), audit: auditing(row, 2) };
        answers.paths.push((path.clone(), rows.map(|rows| rows.iter().map(one).collect())));
    }
    Ok(answers)
}

/// What is answered about the receivers of a journal.
#[derive(Clone, Debug)]
pub struct ReceiverAnswers {
    /// Name of the system.
    pub system: String,
    /// The profile that asked.
    pub asker: String,
    /// System values.
    pub values: Asked<BTreeMap<String, String>>,
    /// The journal.
    pub journal: Asked<Option<Journal>>,
    /// Its receivers, oldest first.
    pub chain: Asked<Vec<Listed>>,
}

/// Asks what the report of receivers needs, and no more.
pub async fn ask_receivers(db: &mut impl Query, options: &TailOptions) -> Result<ReceiverAnswers, QueryError> {
    let System { name: system, user: asker, .. } = System::ask(db).await?;
    let (library, journal) = (options.library.as_str(), options.journal.as_str());
    Ok(ReceiverAnswers {
        system,
        asker,
        values: values(db).await?,
        journal: journals(db, library, journal).await?,
        chain: receivers(db, library, journal).await?,
    })
}

impl Answers {
    /// The attached receiver, as the list has it.
    fn attached(&self) -> Option<Receiver> {
        let (library, name) = self.journal.as_ref().ok()?.as_ref()?.attached.clone()?;
        let chain = self.chain.as_ref().ok()?;
        chain.iter().map(|l| &l.receiver).find(|r| r.library == library && r.name == name).cloned()
    }

    /// What the agent reads: the journal, the newest receivers, the libraries of these.
    fn read_by_agent(&self) -> Vec<ObjectName> {
        let (library, name) = &self.journal_name;
        if !matches!(self.journal, Ok(Some(_))) && !matches!(self.journal_object, Ok(Some(_))) {
            return Vec::new();
        }
        let mut all = vec![ObjectName::new(library, name, "*JRN")];
        let receivers: Vec<&Listed> = self.chain.iter().flatten().rev().take(RECEIVERS).collect();
        let mut libraries: Vec<&str> = receivers.iter().map(|l| l.receiver.library.as_str()).collect();
        libraries.push(library);
        libraries.sort_unstable();
        libraries.dedup();
        all.extend(libraries.iter().map(|l| ObjectName::new("QSYS", l, "*LIB")));
        all.extend(receivers.iter().map(|l| ObjectName::new(&l.receiver.library, &l.receiver.name, "*JRNRCV")));
        all
    }
}

/// What the system refuses is an answer; what ends the connection is not.
fn asked<T>(result: Result<T, QueryError>) -> Result<Asked<T>, QueryError> {
    match result {
        Ok(found) => Ok(Ok(found)),
        Err(e @ QueryError::Sql { .. }) => Ok(Err(e.to_string())),
        Err(e) => Err(e),
    }
}

/// The words of a list value: blanks between them, or commas.
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || c == ',').filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

fn auditing(row: &Row, n: usize) -> Auditing {
    Some(text(row, n)).filter(|t| !t.is_empty() && *t != "*NOTAVL").map(str::to_owned)
}

async fn values(db: &mut impl Query) -> Result<Asked<BTreeMap<String, String>>, QueryError> {
    let one = |row: &Row| {
        let value = if text(row, 2).is_empty() { text(row, 1) } else { text(row, 2) };
        (text(row, 0).to_owned(), value.to_owned())
    };
    Ok(asked(db.all(questions::VALUES, &[]).await)?.map(|rows| rows.iter().map(one).collect()))
}

async fn journals(db: &mut impl Query, library: &str, name: &str) -> Result<Asked<Option<Journal>>, QueryError> {
    let one = |row: &Row| {
        let attached = (text(row, 0).to_owned(), text(row, 1).to_owned());
        Journal {
            attached: Some(attached).filter(|(_, name)| !name.is_empty()),
            deletes_receivers: text(row, 3) == "YES",
        }
    };
    Ok(asked(db.all(statements::JOURNAL, &[library, name]).await)?.map(|rows| rows.first().map(one)))
}

async fn receivers(db: &mut impl Query, library: &str, journal: &str) -> Result<Asked<Vec<Listed>>, QueryError> {
    let rows = asked(db.all(statements::CHAIN, &[library, journal]).await)?;
    let one = |row: &Row| Ok(Listed { receiver: receivers::receiver(row)?, status: text(row, 5).to_owned() });
    Ok(match rows {
        Ok(rows) => Ok(rows.iter().map(one).collect::<Result<_, QueryError>>()?),
        Err(refused) => Err(refused),
    })
}

/// Asks for the first entry of the attached receiver: whether it comes shows what no list of authorities does.
async fn reading(
    db: &mut impl Query,
    options: &TailOptions,
    columns: Option<Columns>,
    attached: Option<Receiver>,
) -> Result<Option<Result<(), QueryError>>, QueryError> {
    let Some(receiver) = attached else { return Ok(None) };
    let columns = Columns::given_or_asked(columns, db).await?;
    let first = receiver.first.max(1).to_string();
    let (library, name) = (receiver.library.as_str(), receiver.name.as_str());
    let parameters = [&options.library, &options.journal, library, name, &first, &options.codes, library, name, &first];
    match db.all(&statements::page(columns), &parameters).await {
        Ok(_) => Ok(Some(Ok(()))),
        // There is none of these journal codes.
        Err(e) if e.is_no_entries() => Ok(Some(Ok(()))),
        Err(e @ QueryError::Sql { .. }) => Ok(Some(Err(e))),
        Err(e) => Err(e),
    }
}

async fn profiles(db: &mut impl Query) -> Result<Asked<Vec<Profile>>, QueryError> {
    let rows = asked(db.all(questions::PROFILES, &[]).await)?;
    Ok(rows.map(|rows| rows.iter().map(profile).collect()))
}

fn profile(row: &Row) -> Profile {
    let without_none = |n: usize| words(text(row, n)).into_iter().filter(|w| w != "*NONE");
    let actions: Vec<String> = without_none(6).collect();
    Profile {
        name: text(row, 0).to_owned(),
        disabled: text(row, 1) == "*DISABLED",
        class: text(row, 2).to_owned(),
        special: without_none(3).collect(),
        groups: without_none(4).chain(without_none(5)).collect(),
        actions: Some(actions).filter(|a| !a.iter().any(|w| w == "*NOTAVL")),
    }
}

async fn object(
    db: &mut impl Query,
    library: &str,
    name: &str,
    kind: &str,
) -> Result<Asked<Option<Object>>, QueryError> {
    let one = |row: &Row| Object { owner: text(row, 1).to_owned(), audit: auditing(row, 2) };
    Ok(asked(db.all(questions::OBJECT, &[library, kind, name]).await)?.map(|rows| rows.first().map(one)))
}

fn counted(row: &Row) -> Counted {
    Counted { audit: auditing(row, 0), count: text(row, 1).parse().unwrap_or(0), first: text(row, 2).to_owned() }
}

/// The single authorities, in the order of the columns.
const SINGLE: [&str; 10] =
    ["*OBJOPR", "*OBJMGT", "*OBJEXIST", "*OBJALTER", "*OBJREF", "*READ", "*ADD", "*UPD", "*DLT", "*EXECUTE"];

fn right(row: &Row) -> Right {
    Right {
        user: text(row, 0).to_owned(),
        authority: text(row, 1).to_owned(),
        list: text(row, 2).to_owned(),
        single: SINGLE.into_iter().enumerate().filter(|(n, _)| text(row, n + 3) == "YES").map(|(_, s)| s).collect(),
    }
}
