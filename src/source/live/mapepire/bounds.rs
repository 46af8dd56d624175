//! Parts of an answer that a server could make as large as it likes: what is no part of an answer to us is not kept.
use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::Cell;

/// The longest id that is kept: ours are shorter.
const ID: usize = 64;
/// The most rows of an answer (no more than 1,000 are asked for), and cells of a row.
const ROWS: usize = 10_000;
const CELLS: usize = 256;

/// The id of a request; `None` for what is none of ours.
pub fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    struct Id;
    impl<'de> Visitor<'de> for Id {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the id of a request")
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok((text.len() <= ID).then(|| text.to_owned()))
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(None)
        }
    }
    from.deserialize_any(Id)
}

/// The rows of an answer.
pub fn rows<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<Cell>>, D::Error> {
    from.deserialize_seq(Most {
        most: ROWS,
        what: "rows",
        each: || Most { most: CELLS, what: "cells", each: || Cells },
    })
}

/// A list of at most so many.
struct Most<S> {
    most: usize,
    what: &'static str,
    each: fn() -> S,
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Most<S> {
    type Value = Vec<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} {}", self.most, self.what)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = seq.next_element_seed((self.each)())? {
            if all.len() == self.most {
                return Err(de::Error::invalid_length(self.most + 1, &self));
            }
            all.push(one);
        }
        Ok(all)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Most<S> {
    type Value = Vec<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

/// A cell.
struct Cells;

impl<'de> DeserializeSeed<'de> for Cells {
    type Value = Cell;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Cell, D::Error> {
        serde::Deserialize::deserialize(from)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Answer;

    fn read(text: &str) -> Result<Answer, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn h7_an_answer_keeps_no_more_than_was_asked_for() {
        let answer = read(r#"{"id": "q1", "data": [["a", 1, null], []], "success": true}"#).unwrap();
        assert_eq!((answer.id.as_deref(), answer.data.len(), answer.data[0].len()), (Some("q1"), 2, 3));
        for id in ["[0,0,[0]]", "{\"a\": [1]}", "7", "-1", "1.5", "true", "null", &format!("{:?}", "x".repeat(65))] {
            assert_eq!(read(&format!("{{\"id\": {id}, \"success\": true}}")).unwrap().id, None, "{id}");
        }
        let many = |n: usize, one: &str| format!("[{}]", vec![one; n].join(","));
        assert!(read(&format!("{{\"data\": {}}}", many(10_000, "[]"))).is_ok());
        for data in [many(10_001, "[]"), many(1, &many(257, "0"))] {
            let e = read(&format!("{{\"data\": {data}}}")).err().unwrap().to_string();
            assert!(e.contains("at most"), "{e}");
        }
    }
}
