//! What a text of the configuration says that names a variable of the environment, `${NAME}`, or is a credential.
use std::ffi::OsString;

use nom::{
    IResult, Parser,
    branch::alt,
    bytes::complete::{tag, take_while, take_while1},
    character::complete::satisfy,
    combinator::{map, not, recognize, value},
    sequence::{delimited, pair, terminated},
};

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece<'t> {
    Text(&'t str),
    Variable(&'t str),
}

/// The text with the values of its variables, and their names. `$${` stands for `${`. What a variable holds is taken as it is,
/// and never looked at again. The error says what is wrong.
pub fn expand(text: &str, look: impl Fn(&str) -> Option<OsString>) -> Result<(String, Vec<String>), String> {
    let (mut found, mut names) = (String::with_capacity(text.len()), Vec::new());
    let mut rest = text;
    while !rest.is_empty() {
        let Ok((behind, piece)) = piece(rest) else {
            return Err(format!(
                "{text:?}: behind ${{ a name of A-Z, a-z, 0-9 and _ and a }} are expected, as in ${{SIEM_HOST}}; $${{ stands for ${{ itself"
            ));
        };
        rest = behind;
        match piece {
            Piece::Text(text) => found.push_str(text),
            Piece::Variable(name) => {
                let held = look(name).ok_or_else(|| {
                    format!("the variable {name} of the environment is not set; set it for this program, or write $${{ for ${{ itself")
                })?;
                let held =
                    held.into_string().map_err(|_| format!("the variable {name} of the environment is no UTF-8"))?;
                found.push_str(&held);
                names.push(name.to_owned());
            }
        }
    }
    Ok((found, names))
}

fn piece(text: &str) -> IResult<&str, Piece<'_>, ()> {
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = recognize(pair(satisfy(begins), take_while(goes_on)));
    let variable = delimited(tag("${"), name, tag("}"));
    // A `$` that begins nothing; of a `${` that is no variable there is no way on.
    let alone = terminated(tag("$"), not(tag("{")));
    alt((
        map(take_while1(|c| c != '$'), Piece::Text),
        value(Piece::Text("${"), tag("$${")),
        map(variable, Piece::Variable),
        map(alone, Piece::Text),
    ))
    .parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(name: &str) -> Option<OsString> {
        match name {
            "HOST" => Some("siem.example.com".into()),
            "_p1" => Some("${HOST}\"]\n[filter]".into()),
            "EMPTY" => Some("".into()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_their_values_and_never_more_than_text() {
        for (text, is, names) in [
            ("", "", &[][..]),
            ("tls://${HOST}:6514", "tls://siem.example.com:6514", &["HOST"]),
            ("${HOST}${EMPTY}${HOST}", "siem.example.comsiem.example.com", &["HOST", "EMPTY", "HOST"]),
            ("${_p1}", "${HOST}\"]\n[filter]", &["_p1"]),
            ("$${HOST}", "${HOST}", &[]),
            ("$$${HOST}", "$${HOST}", &[]),
            ("5$ $x $$", "5$ $x $$", &[]),
            ("\u{20ac}$", "\u{20ac}$", &[]),
        ] {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            assert_eq!(expand(text, look), Ok((is.to_owned(), names)), "{text}");
        }
    }

    #[test]
    fn a_variable_that_is_not_set_or_not_written_right_is_told() {
        assert!(expand("${SIEM}", look).unwrap_err().starts_with("the variable SIEM of the environment is not set"));
        for wrong in ["${", "${}", "${HOST", "${HO ST}", "${1}", "a${HOST:-x}", "${\u{e9}}"] {
            assert!(expand(wrong, look).unwrap_err().contains("${SIEM_HOST}"), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_one_without_variables_is_itself(text in "\\PC*") {
            let _ = expand(&text, look);
            let plain = text.replace('$', "");
            proptest::prop_assert_eq!(expand(&plain, look), Ok((plain.clone(), Vec::new())));
            let doubled = format!("$${{{plain}");
            proptest::prop_assert_eq!(expand(&doubled, look).map(|(t, _)| t), Ok(format!("${{{plain}")));
        }
    }
}
