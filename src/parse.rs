//! What the grammars of all rooms share: running a parser made of `nom`, and where it stopped.
//!
//! For: texts and bytes from elsewhere that have a grammar. Not for: fields at fixed places (headings, layouts), which tables of
//! offsets say better and read faster.
use nom::{
    Err, IResult, Input, Parser,
    combinator::all_consuming,
    error::{ContextError, ErrorKind, ParseError},
};

/// Where a grammar stopped. It borrows from the input: what the message shows of it is written when somebody tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected<I> {
    /// What would have been right: the innermost `context`.
    pub expected: &'static str,
    /// The input from where that should stand.
    pub got: I,
}

impl<I> ParseError<I> for Expected<I> {
    fn from_error_kind(got: I, _: ErrorKind) -> Self {
        Expected { expected: "", got }
    }

    fn append(_: I, _: ErrorKind, inner: Self) -> Self {
        inner
    }
}

impl<I> ContextError<I> for Expected<I> {
    fn add_context(got: I, expected: &'static str, inner: Self) -> Self {
        if inner.expected.is_empty() { Expected { expected, got } } else { inner }
    }
}

/// All of the input, or nothing: for those who tell what is wrong in words about the whole.
pub fn whole<I: Input, O>(input: I, grammar: impl Parser<I, Output = O, Error = ()>) -> Option<O> {
    all_consuming(grammar).parse(input).ok().map(|(_, output)| output)
}

/// What has come so far: `None` while more is needed to tell.
pub fn so_far<I, O, E>(parsed: IResult<I, O, E>) -> Result<Option<(I, O)>, E> {
    match parsed {
        Ok(parsed) => Ok(Some(parsed)),
        Err(Err::Incomplete(_)) => Ok(None),
        Err(Err::Error(e) | Err::Failure(e)) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use nom::{bytes::streaming::tag, character::complete::digit1, error::context, sequence::preceded};

    use super::*;

    #[test]
    fn the_innermost_context_and_its_place_are_told() {
        let mut grammar = context("a line", preceded(context("a key", tag("key")), context("a value", tag("=1"))));
        let mut parse = |input: &'static str| so_far(grammar.parse(input));
        assert_eq!(parse("key=1;"), Ok(Some((";", "=1"))));
        assert_eq!(parse("key="), Ok(None));
        assert_eq!(parse("key:1"), Err(Expected { expected: "a value", got: ":1" }));
        assert_eq!(parse("kex"), Err(Expected { expected: "a key", got: "kex" }));
    }

    #[test]
    fn a_whole_text_has_nothing_behind_it() {
        assert_eq!(whole("12", digit1), Some("12"));
        assert_eq!(whole("12 ", digit1), None);
    }
}
