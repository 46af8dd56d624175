//! What every command that looks at a capture through a configuration builds first: tables, configuration, and for each
//! heading the event model and the filter. One place, so that all commands see the same.
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::anyhow;
use chrono_tz::Tz;
use clap::ValueEnum;

use super::{console::tell_problem, exit::Failure, input::InputArgs};
use crate::{
    config::{Config, OutputConfig, ProblemLevel, model::model_options, zone::time_zone},
    decode::{
        ebcdic::Charset,
        journal::{Catalog, Heading, detect::Found},
    },
    encode::{Format, HeadingDefaults, Profile, Settings},
    event::DateFormat,
    filter::Selection,
    pipeline::{Back, Front, Parts},
};

/// The configuration that a command is about, and the tables that it is read with.
#[derive(clap::Args, Debug)]
pub struct ConfigArgs {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Folder of layout tables that add to or override the built-in ones (formats/journal)
    #[arg(long, value_name = "DIR")]
    pub layouts: Option<PathBuf>,
}

impl ConfigArgs {
    /// The tables.
    pub fn catalog(&self) -> Result<Catalog, Failure> {
        Catalog::with_folder(self.layouts.as_deref()).map_err(Failure::usage)
    }
}

/// What the entries do not say themselves.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Facts the entries do not hold")]
pub struct HeadingArgs {
    /// Time zone of the system, for example Europe/Berlin [default: UTC, with a warning]
    #[arg(long, value_name = "IANA", value_parser = time_zone)]
    pub timezone: Option<Tz>,
    /// System name (*TYPE1 headings hold none)
    #[arg(long, value_name = "NAME")]
    pub system: Option<String>,
    /// Journal receiver (*TYPE1 to *TYPE4 headings hold none)
    #[arg(long, value_name = "NAME")]
    pub receiver: Option<String>,
    /// Library of the receiver
    #[arg(long, value_name = "NAME")]
    pub receiver_library: Option<String>,
    /// Date format of the job that made the capture (*TYPE1 and *TYPE2 headings)
    #[arg(long, value_enum, value_name = "FORMAT", ignore_case = true)]
    pub date_format: Option<DateArg>,
}

/// `--date-format`.
#[derive(ValueEnum, Clone, Copy, Debug)]
#[value(rename_all = "UPPER")]
pub enum DateArg {
    /// mmddyy
    Mdy,
    /// ddmmyy
    Dmy,
    /// yymmdd
    Ymd,
    /// yyddd
    Jul,
}

impl HeadingArgs {
    /// How the older headings write dates.
    pub fn dates(&self) -> Option<DateFormat> {
        self.date_format.map(|d| match d {
            DateArg::Mdy => DateFormat::Mdy,
            DateArg::Dmy => DateFormat::Dmy,
            DateArg::Ymd => DateFormat::Ymd,
            DateArg::Jul => DateFormat::Jul,
        })
    }

    /// The time zone; UTC unless one was given.
    pub fn zone(&self) -> Tz {
        self.timezone.unwrap_or(Tz::UTC)
    }

    /// What lines take from here.
    pub fn given(&self, job: &'static Charset) -> Result<HeadingDefaults, Failure> {
        let name = |option: &str, value: &Option<String>| -> Result<Vec<u8>, Failure> {
            let Some(v) = value else { return Ok(Vec::new()) };
            job.name(v).map_err(|e| Failure::usage(anyhow!("--{option} {v:?}: {e}")))
        };
        Ok(HeadingDefaults {
            system: name("system", &self.system)?,
            receiver: name("receiver", &self.receiver)?,
            receiver_library: name("receiver-library", &self.receiver_library)?,
        })
    }

    /// Says what a capture does not hold and no option gives; the history log does not hold the system.
    pub fn needed_by(&self, found: &Found) -> Result<(), String> {
        if found.history.is_some() && self.system.is_none() {
            return Err("the history log does not hold the name of the system: give --system NAME".to_owned());
        }
        self.needed(&found.heading)
    }

    /// Says what the heading does not hold and no option gives.
    pub fn needed(&self, heading: &Heading) -> Result<(), String> {
        let mut missing = Vec::new();
        if heading.system_name.is_none() && self.system.is_none() {
            missing.push("--system NAME");
        }
        if heading.receiver_name.is_none() && self.receiver.is_none() {
            missing.push("--receiver NAME");
        }
        if heading.timestamp.is_none() && self.date_format.is_none() {
            missing.push("--date-format MDY|DMY|YMD|JUL");
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{} headings do not hold everything that identifies an entry to a SIEM: give {}",
            heading.kind.ibm_name(),
            missing.join(" and ")
        ))
    }
}

/// Tables, character set, output profile and configuration of one command.
pub struct Setup {
    /// The tables.
    pub catalog: Arc<Catalog>,
    /// The character set of the jobs.
    pub job: &'static Charset,
    /// Where values stand in lines.
    pub profile: Profile,
    /// The configuration, without errors.
    pub config: Config,
    /// What many lines have in common.
    pub parts: Arc<Parts>,
}

impl Setup {
    /// Reads tables and configuration. Warnings go to standard error, or are errors with `deny_warnings`.
    pub fn new(input: &InputArgs, config: Option<&Path>, deny_warnings: bool) -> Result<Setup, Failure> {
        let catalog = input.catalog()?;
        let job = input.charset()?;
        let profile = Profile::native().map_err(|e| Failure::failed(anyhow!(e)))?;
        let config = match config {
            Some(path) => load(path, &catalog, Some(job), deny_warnings)?,
            None => Config::default(),
        };
        let parts = Arc::new(Parts::new(catalog.clone(), profile.clone()));
        Ok(Setup { catalog, job, profile, config, parts })
    }

    /// The half of the pipeline before the spool: what the agent's filter says.
    pub fn front(&self, heading: &Arc<Heading>, selection: Option<&Selection>) -> Result<Front, Failure> {
        let of = (heading, self.job);
        let options = model_options(&self.profile, &self.config, false);
        Front::new(&self.parts, of, &options, &[&self.config.filter], selection).map_err(Failure::usage)
    }

    /// The half behind it: what an output says, where there is one, and the lines. `include_guesses`: whatever the output says.
    pub fn back(
        &self,
        heading: &Arc<Heading>,
        output: Option<&OutputConfig>,
        settings: Settings,
        include_guesses: bool,
    ) -> Result<Back, Failure> {
        let options = model_options(&self.profile, &self.config, include_guesses);
        Back::new(&self.parts, (heading, self.job), &options, output, settings).map_err(Failure::usage)
    }

    /// The output of a name.
    pub fn output(&self, name: Option<&str>) -> Result<Option<&OutputConfig>, Failure> {
        let Some(name) = name else { return Ok(None) };
        self.config.output(name).map(Some).ok_or_else(|| {
            let known: Vec<&str> = self.config.outputs.iter().map(|o| o.name.as_str()).collect();
            Failure::usage(anyhow!(
                "--output {name}: the configuration has no such output{}",
                if known.is_empty() { String::new() } else { format!("; it has {}", known.join(", ")) }
            ))
        })
    }

    /// The settings of the lines: the profile's, the configuration's, those of an output.
    pub fn settings(&self, format: Format, given: HeadingDefaults, output: Option<&OutputConfig>) -> Settings {
        let line = &self.config.line;
        match output {
            Some(o) => o.settings(format, line, &self.profile, given),
            None => line.settings(format, &self.profile, given),
        }
    }
}

/// Reads a configuration and says what is odd about it.
pub fn load(
    path: &Path,
    catalog: &Catalog,
    job: Option<&'static Charset>,
    deny_warnings: bool,
) -> Result<Config, Failure> {
    let mut config = Config::load(path, catalog).map_err(Failure::usage)?;
    if let Some(job) = job {
        config.validate_names(job);
    }
    let config = config.into_valid(deny_warnings).map_err(Failure::usage)?;
    for problem in config.problems.iter().filter(|p| p.level == ProblemLevel::Warning) {
        tell_problem(problem);
    }
    Ok(config)
}
