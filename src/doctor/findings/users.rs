//! Powerful profiles whose actions nobody sees. R16.
use super::{Finding, Severity, not_asked};
use crate::doctor::answers::{Answers, Profile};

/// What makes a profile powerful.
const POWERS: [&str; 3] = ["*ALLOBJ", "*AUDIT", "*SECADM"];

/// What is audited of one. Values CHGUSRAUD takes; they replace those that a profile has ("Working with user auditing").
const ACTIONS: &str = "*CMD *CREATE *DELETE *OBJMGT *SAVRST *SECURITY *SERVICE *SYSMGT";

/// Profiles of the system that nobody signs on with, although they have special authorities.
const OF_THE_SYSTEM: [&str; 4] = ["QSYS", "QLPAUTO", "QLPINSTALL", "QRJE"];

pub(super) fn findings(answers: &Answers, can_see: bool) -> Vec<Finding> {
    let profiles = match &answers.profiles {
        Ok(profiles) => profiles,
        Err(why) => return vec![not_asked("user profiles", why)],
    };
    let mut all = Vec::new();
    if !of(&answers.asker, profiles).contains(&"*ALLOBJ") {
        let count = profiles.len();
        let seen = if count == 1 { "1 profile".to_owned() } else { format!("{count} profiles") };
        all.push(
            Finding::new("profiles-seen", "R16", Severity::Note, format!("{} can see {seen}; there may be others", answers.asker))
                .means("\"The caller must have *OBJOPR and *READ authorities to the *USRPRF\" (USER_INFO): a look at all of them needs *ALLOBJ"),
        );
    }
    if !can_see {
        return all;
    }
    for profile in profiles {
        if profile.actions.as_ref().is_some_and(Vec::is_empty) {
            all.extend(unaudited(profile, profiles));
        }
    }
    all
}

/// The special authorities of a profile, those of its groups among them.
pub(super) fn of<'a>(name: &str, profiles: &'a [Profile]) -> Vec<&'a str> {
    let Some(own) = profiles.iter().find(|p| p.name == name) else { return Vec::new() };
    let groups = own.groups.iter().filter_map(|g| profiles.iter().find(|p| p.name == *g));
    let mut all: Vec<&str> = std::iter::once(own).chain(groups).flat_map(|p| &p.special).map(String::as_str).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn unaudited(profile: &Profile, profiles: &[Profile]) -> Option<Finding> {
    let mut why: Vec<String> =
        POWERS.iter().filter(|p| profile.special.iter().any(|s| s == *p)).map(|p| (*p).to_owned()).collect();
    for power in POWERS.iter().filter(|p| !why.iter().any(|w| w == *p)).collect::<Vec<_>>() {
        let has = |g: &&String| profiles.iter().any(|p| p.name == **g && p.special.iter().any(|s| s == power));
        if let Some(group) = profile.groups.iter().find(has) {
            why.push(format!("{power} by its group {group}"));
        }
    }
    if profile.class == "*SECOFR" {
        why.push("class *SECOFR".to_owned());
    }
    if why.is_empty() {
        return None;
    }
    let name = &profile.name;
    let is_system = OF_THE_SYSTEM.contains(&name.as_str());
    let status = if profile.disabled { ", disabled" } else { "" };
    let severity = if is_system { Severity::Note } else { Severity::Warning };
    let of_system = if is_system { "; a profile of the system itself: nobody signs on with it" } else { "" };
    Some(
        Finding::new("user-unaudited", "R16", severity, format!("{name} has {}{status}, and no user auditing (AUDLVL *NONE)", why.join(", ")))
            .means(format!("only what QAUDLVL and QAUDLVL2 log of everybody is logged of it: not its commands, for *CMD is a value of profiles only{of_system}"))
            .command(format!("CHGUSRAUD USRPRF({name}) AUDLVL({ACTIONS})"))
            .names([name.clone()]),
    )
}
