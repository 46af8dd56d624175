//! Globs over one component of a path: `*` for any characters, `?` for one.

/// Whether a component of a rule is a glob.
pub(super) fn is_glob(component: &str) -> bool {
    component.contains(['*', '?'])
}

/// Whether `*` (any characters) and `?` (one) of a glob match a component. Linear in their product at worst.
pub(super) fn glob_matches(glob: &str, component: &str) -> bool {
    let (mut g, mut c) = (glob.chars(), component.chars());
    // Where to go on when a later character does not match: behind the last `*`, one character further.
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let (before_g, before_c) = (g.clone(), c.clone());
        match (g.next(), c.next()) {
            (Some('*'), _) => {
                retry = Some((g.clone(), before_c.clone()));
                c = before_c;
            }
            (Some('?'), Some(_)) => {}
            (Some(a), Some(b)) if a == b => {}
            (None, None) => return true,
            _ => {
                drop(before_g);
                let Some((after_star, mut from)) = retry.take() else { return false };
                if from.next().is_none() {
                    return false;
                }
                (g, c) = (after_star.clone(), from.clone());
                retry = Some((after_star, from));
            }
        }
    }
}

/// How a component of a rule is found.
pub(super) enum Shape<'a> {
    Literal,
    /// `*` alone.
    Any,
    /// Begins so; all globs with this beginning are tried.
    Prefix(&'a str),
    /// `*` and a fixed end.
    Suffix(&'a str),
    /// Neither.
    Free,
}

impl Shape<'_> {
    /// Of a component.
    pub(super) fn of(component: &str) -> Shape<'_> {
        let Some(at) = component.find(['*', '?']) else { return Shape::Literal };
        match component.get(..at) {
            _ if component == "*" => Shape::Any,
            Some(prefix) if !prefix.is_empty() => Shape::Prefix(prefix),
            _ => match component.strip_prefix('*') {
                Some(end) if !is_glob(end) => Shape::Suffix(end),
                _ => Shape::Free,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_a_naive_matcher_says() {
        fn naive(g: &[char], c: &[char]) -> bool {
            match (g.split_first(), c.split_first()) {
                (None, None) => true,
                (Some(('*', rest)), _) => naive(rest, c) || c.split_first().is_some_and(|(_, c)| naive(g, c)),
                (Some(('?', g)), Some((_, c))) => naive(g, c),
                (Some((a, g)), Some((b, c))) => a == b && naive(g, c),
                _ => false,
            }
        }
        let word = |mut n: usize, letters: &[char]| {
            let mut w = Vec::new();
            while n > 0 {
                w.push(letters[n % letters.len()]);
                n /= letters.len();
            }
            w
        };
        for g in 0..1024 {
            for c in 0..200 {
                let (glob, name) = (word(g, &['a', '*', 'b', '?']), word(c, &['a', 'b', 'ä']));
                let text = |w: &[char]| w.iter().collect::<String>();
                assert_eq!(glob_matches(&text(&glob), &text(&name)), naive(&glob, &name), "{glob:?} {name:?}");
            }
        }
    }
}
