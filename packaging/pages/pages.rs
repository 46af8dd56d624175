//! Manual pages and completions, of what the command line says of itself and of `agent.toml.example`: nothing is written twice.
use std::{fmt::Write as _, fs, io, path::Path};

use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use qaudjrn::cli::Cli;

/// The name of the page of the configuration, without its section.
const CONFIGURATION: &str = "qaudjrn.toml";

/// `qaudjrn.1`, a page for each command (`qaudjrn-run.1`) and for the configuration (`qaudjrn.toml.5`).
pub fn manual(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    page(&program, folder)?;
    let example = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("agent.toml.example"))?;
    fs::write(folder.join(format!("{CONFIGURATION}.5")), configuration(&example))
}

/// Bash, zsh and fish.
pub fn completions(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut Cli::command(), "qaudjrn", folder)?;
    }
    Ok(())
}

/// The page of a command, and those of the commands below it.
fn page(command: &Command, folder: &Path) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut text = Vec::new();
    Man::new(command.clone())
        .title(name.to_uppercase())
        .source(format!("qaudjrn {}", env!("CARGO_PKG_VERSION")))
        .manual("qaudjrn")
        .render(&mut text)?;
    let text = String::from_utf8(text).map_err(io::Error::other)?;
    // An empty date, so that pages are the same whenever they are made: left out, it would be the name of the source.
    let mut text = text.replacen(" 1  ", " 1 \"\" ", 1);
    let of_all = if name == "qaudjrn" { "" } else { "\\fBqaudjrn\\fR(1), " };
    let _ = write!(text, ".SH \"SEE ALSO\"\n{of_all}\\fB{CONFIGURATION}\\fR(5)\n");
    fs::write(folder.join(format!("{name}.1")), text)?;
    command.get_subcommands().filter(|c| !c.is_hide_set()).try_for_each(|c| page(c, folder))
}

/// The example as a page: its comments say what each key is for.
fn configuration(example: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!(
        ".TH \"{}\" 5 \"\" \"qaudjrn {version}\" \"qaudjrn\"\n\
         .SH NAME\n{CONFIGURATION} \\- configuration of the log agent qaudjrn\n\
         .SH SYNOPSIS\n/etc/qaudjrn/agent.toml\n\
         .SH DESCRIPTION\n\
         The file in the notation of TOML that \\fBqaudjrn run\\fR, \\fBqaudjrn check\\fR and other commands read by their option \
         \\fB\\-\\-config\\fR.\n\
         What follows is an example with every key and its default; what stands behind # is text, or a key that has no default.\n\
         \\fBqaudjrn check\\fR says what is wrong with a file, and what it means.\n\
         .SH EXAMPLE\n.EX\n",
        CONFIGURATION.to_uppercase()
    );
    for line in example.lines() {
        page.push_str(&verbatim(line));
        page.push('\n');
    }
    page.push_str(".EE\n.SH \"SEE ALSO\"\n\\fBqaudjrn\\fR(1), \\fBqaudjrn\\-run\\fR(1), \\fBqaudjrn\\-check\\fR(1)\n");
    page
}

/// A line as it stands, of which roff obeys nothing.
fn verbatim(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
    let line = line.replace('~', "\\(ti").replace('^', "\\(ha");
    if line.starts_with('.') { format!("\\&{line}") } else { line }
}
