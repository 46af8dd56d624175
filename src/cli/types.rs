//! `types`: the entry types, or the layout of one.
use std::{fmt::Write as _, path::PathBuf};

use anyhow::anyhow;

use super::{
    console::print,
    exit::{Exit, Failure},
};
use crate::{
    decode::journal::{Catalog, FieldKind, Layout, layout::Columns},
    filter::types::distance,
};

/// Options of `types`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Entry type whose layout to show
    #[arg(value_name = "XX")]
    code: Option<String>,
    /// Folder of layout tables that add to or override the built-in ones
    #[arg(long, value_name = "DIR")]
    layouts: Option<PathBuf>,
}

/// Runs `types`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let catalog = Catalog::with_folder(args.layouts.as_deref()).map_err(Failure::usage)?;
    let text = match &args.code {
        None => list(&catalog),
        Some(code) => {
            let code = code.to_uppercase();
            let layout = catalog.layout(&code).ok_or_else(|| {
                let nearest = catalog.codes().min_by_key(|c| distance(c, &code)).unwrap_or_default();
                Failure::usage(anyhow!("no entry type {code:?}: did you mean {nearest}? `qaudjrn types` lists all"))
            })?;
            one(&catalog, layout)
        }
    };
    print(&text)?;
    Ok(Exit::Done)
}

fn list(catalog: &Catalog) -> String {
    let mut t = format!(
        "{:<5} {:<46} {:>3}  {:<24} {:<40} {}\n",
        "type", "title", "sev", "layout (fields known)", "audit levels", "event ids (severity where it differs)"
    );
    for code in catalog.codes() {
        let Some(layout) = catalog.layout(code) else { continue };
        let row = catalog.levels().type_row(code);
        let title = row.map_or(layout.title.as_str(), |r| r.title.as_str());
        let severity = row.map_or(5, |r| r.default_cef_severity);
        let count = |c| layout.fields.iter().filter(|f| !f.reserved && f.confidence.word() == c).count();
        let known = format!("{} ({}/{}/{})", layout.confidence, count("seen"), count("expected"), count("guess"));
        let levels: Vec<&str> = catalog.levels().levels_of(code).map(|l| l.value.as_str()).collect();
        let ids: Vec<String> = details(catalog, layout)
            .iter()
            .map(|(c, _, s)| if *s == severity { format!("{code}-{c}") } else { format!("{code}-{c}={s}") })
            .collect();
        let _ = writeln!(
            t,
            "{code:<5} {title:<46} {severity:>3}  {known:<24} {:<40} {}",
            if levels.is_empty() { "-".to_owned() } else { levels.join(" ") },
            if ids.is_empty() { code.to_owned() } else { ids.join(" ") }
        );
    }
    t.push_str("\nlayout: fields seen in IBM's pages / expected (recalled, consistent) / guesses, which stay out of lines unless --include-guesses\n");
    t
}

fn one(catalog: &Catalog, layout: &Layout) -> String {
    let mut t = String::new();
    let code = &layout.code;
    let row = catalog.levels().type_row(code);
    let _ = writeln!(t, "{code}  {}", row.map_or(layout.title.as_str(), |r| r.title.as_str()));
    let levels: Vec<&str> = catalog.levels().levels_of(code).map(|l| l.value.as_str()).collect();
    let _ = writeln!(t, "audit levels  {}", if levels.is_empty() { "not known".to_owned() } else { levels.join(" ") });
    let _ = writeln!(t, "severity      {}", row.map_or(5, |r| r.default_cef_severity));
    let _ = writeln!(t, "outfiles      {}", layout.outfiles.join(" "));
    let _ = writeln!(t, "layout        {}", layout.confidence);
    for (c, meaning, severity) in details(catalog, layout) {
        let _ = writeln!(t, "  {:<8} severity {severity:<2} {}", format!("{code}-{c}"), meaning.unwrap_or(""));
    }
    let _ = writeln!(
        t,
        "\n{:>5} {:>5} {:>5} {:>6}  {:<8} {:<10} {:<40} role, codes, remarks",
        "JE", "J4", "J5", "length", "type", "confidence", "field"
    );
    let relevant = catalog.relevant(code);
    for f in &layout.fields {
        let at = |column, base: usize| if f.columns.has(column) { (f.offset + base).to_string() } else { "-".into() };
        let mut remarks: Vec<String> = Vec::new();
        if f.reserved {
            remarks.push("reserved".into());
        }
        if let Some(role) = &f.role {
            remarks.push(format!("role {role}"));
        }
        if let Some((group, value)) = &f.flag {
            remarks.push(format!("Y is {value} of {group}"));
        }
        if relevant.contains(&f.name) {
            remarks.push("in compact lines".into());
        }
        if !f.values.is_empty() {
            let codes: Vec<String> = f.values.iter().map(|(c, m)| format!("{c} {m}")).collect();
            remarks.push(codes.join("; "));
        }
        remarks.extend(f.note.clone());
        let _ = writeln!(
            t,
            "{:>5} {:>5} {:>5} {:>6}  {:<8} {:<10} {:<40} {}",
            at(Columns::JE, 156),
            at(Columns::J4, 224),
            at(Columns::J5, 610),
            f.length,
            kind(f.kind),
            if f.reserved { "-" } else { f.confidence.word() },
            f.name,
            remarks.join("; ")
        );
    }
    for p in &layout.parts {
        let of = layout.fields.get(p.of).map_or("", |f| f.name.as_str());
        let _ = writeln!(
            t,
            "{:>5} {:>5} {:>5} {:>6}  {:<8} {:<10} {:<40} part of {of} for {}",
            p.offset + 156,
            p.offset + 224,
            p.offset + 610,
            p.length,
            "char",
            p.confidence.word(),
            p.name,
            p.object_types.join(" ")
        );
    }
    let _ = writeln!(t, "\nsources: {}", layout.sources.join("; "));
    let _ = writeln!(t, "notes: {}", layout.notes);
    t
}

/// Detail codes with meaning and severity.
fn details<'a>(catalog: &'a Catalog, layout: &'a Layout) -> Vec<(&'a str, Option<&'a str>, u8)> {
    let levels = catalog.levels();
    let severity = levels.type_row(&layout.code).map_or(5, |r| r.default_cef_severity);
    let mut found: std::collections::BTreeMap<&str, Option<&str>> = std::collections::BTreeMap::new();
    if let Some(f) = layout.role("detail").and_then(|i| layout.fields.get(i)) {
        found.extend(f.values.iter().map(|(c, m)| (c.as_str(), Some(m.as_str()))));
    }
    for l in levels.levels.iter().filter_map(|l| l.details.get(&layout.code)) {
        for c in l {
            found.entry(c).or_insert(None);
        }
    }
    found
        .into_iter()
        .map(|(c, m)| {
            let row = levels.detail_row(&layout.code, c);
            (c, row.map(|r| r.meaning.as_str()).or(m), row.map_or(severity, |r| r.cef_severity))
        })
        .collect()
}

fn kind(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Char => "char",
        FieldKind::Zoned => "zoned",
        FieldKind::Packed => "packed",
        FieldKind::Bin => "binary",
        FieldKind::Hex => "hex",
        FieldKind::Unicode => "unicode",
        FieldKind::Varchar => "varchar",
        FieldKind::Varpath => "varpath",
        FieldKind::Rest => "rest",
    }
}
