//! One object, member by member.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use foldhash::quality::FixedState;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A member's value.
#[derive(Debug)]
pub(super) enum Cell<'a> {
    Null,
    Integer(i64),
    Number(f64),
    Boolean(bool),
    Text(Cow<'a, str>),
    /// A list or an object.
    Nested,
    /// A whole number that no 64 bits hold.
    Beyond(u64),
}

/// Hands the members of the object on a line over, in their order.
///
/// # Errors
/// When the line is not one object; members before the mistake were handed over.
pub(super) fn entries<'a>(line: &'a str, each: impl FnMut(Cow<'a, str>, Cell<'a>)) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(line);
    Entries(each).deserialize(&mut json)?;
    json.end()
}

struct Entries<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, Cell<'de>)> DeserializeSeed<'de> for Entries<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(Cow<'de, str>, Cell<'de>)> Visitor<'de> for Entries<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Value)? {
            let Cell::Text(name) = name else { return Err(A::Error::custom("a key is a text")) };
            (self.0)(name, map.next_value_seed(Value)?);
        }
        Ok(())
    }
}

/// Reads a value, without copying a text that stands as it is.
struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Cell<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cell<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Cell<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Cell<'de>, E> {
        Ok(Cell::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell<'de>, E> {
        Ok(Cell::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell<'de>, E> {
        Ok(Cell::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell<'de>, E> {
        Ok(i64::try_from(value).map_or_else(|_| Cell::Beyond(value), Cell::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell<'de>, E> {
        Ok(Cell::Number(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Nested)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Nested)
    }
}

/// The names that were met, in their order.
#[derive(Debug, Default)]
pub(super) struct Slots {
    names: Vec<String>,
    by_name: HashMap<String, usize, FixedState>,
}

impl Slots {
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The slot of a name, which is mostly `next`: the one after that of the member before.
    pub(super) fn find(&self, name: &str, next: usize) -> Option<usize> {
        match self.names.get(next) {
            Some(expected) if expected == name => Some(next),
            _ => self.by_name.get(name).copied(),
        }
    }

    /// A new slot for a name without one.
    pub(super) fn add(&mut self, name: String) -> usize {
        let slot = self.names.len();
        self.names.push(name.clone());
        self.by_name.insert(name, slot);
        slot
    }
}
