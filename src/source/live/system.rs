//! What a system says of itself and of who asks.
use super::{
    query::{Query, QueryError, text},
    statements,
};

/// Its answer to [`statements::SYSTEM`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct System {
    /// Its name.
    pub name: String,
    /// The profile that asks.
    pub user: String,
    /// Its local time, as it writes it.
    pub now: String,
    /// How far its clock is from UTC, in seconds east; `None` where it does not say.
    pub offset: Option<i32>,
}

impl System {
    /// Asks.
    pub async fn ask(db: &mut impl Query) -> Result<System, QueryError> {
        let row = db.all(statements::SYSTEM, &[]).await?.into_iter().next().unwrap_or_default();
        let own = |n: usize| text(&row, n).to_owned();
        Ok(System { name: name(&own(2)), user: name(&own(3)), now: own(0), offset: offset(text(&row, 1)) })
    }
}

/// A name of a system, a database or a profile, whatever the other side says: letters, digits and what IBM allows beside
/// them, and no more than a database's name may have. It goes into records, messages and tables.
fn name(text: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || "_#@$.-".contains(c);
    text.chars().take(18).map(|c| if allowed(c) { c } else { '_' }).collect()
}

/// CURRENT TIMEZONE, a decimal hhmmss, in seconds.
fn offset(text: &str) -> Option<i32> {
    let number: i32 = text.trim().trim_end_matches(".0").parse().ok()?;
    let (hours, minutes, seconds) = (number / 10_000, number / 100 % 100, number % 100);
    Some(hours * 3_600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h8_a_name_holds_what_a_name_may_hold() {
        assert_eq!(name("PROD01"), "PROD01");
        assert_eq!(name("#HR$@_1.b-c"), "#HR$@_1.b-c");
        assert_eq!(name("a\nqaudjrn: \u{1b}[2J\u{202e}"), "a_qaudjrn____2J_");
        assert_eq!(name(&"X".repeat(64 << 10)).len(), 18);
    }

    #[test]
    fn an_offset_is_hours_minutes_and_seconds() {
        for (text, seconds) in [("20000", 7_200), ("-53000", -19_800), ("0", 0), ("54500", 20_700)] {
            assert_eq!(offset(text), Some(seconds));
        }
        assert_eq!(offset("CEST"), None);
    }
}
