//! Walking a JSON tree while collecting every mistake with its pointer.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::{Mistake, Span};
use crate::text::misleads;

/// Collects mistakes.
#[derive(Default)]
pub(super) struct Mistakes(RefCell<Vec<Mistake>>);

impl Mistakes {
    pub(super) fn add(&self, pointer: &str, message: impl Into<String>) {
        self.0.borrow_mut().push(Mistake { pointer: pointer.to_owned(), message: message.into() });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// All mistakes, each once, in the order of the document.
    pub(super) fn into_vec(self) -> Vec<Mistake> {
        let mut all = self.0.into_inner();
        all.dedup();
        all
    }
}

/// One table of the document. Keys that nobody asked for are mistakes, reported when the table is closed.
pub(super) struct Table<'a> {
    map: &'a Map<String, Value>,
    pointer: String,
    mistakes: &'a Mistakes,
    known: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Table<'a> {
    pub(super) fn new(value: &'a Value, pointer: &str, mistakes: &'a Mistakes) -> Option<Self> {
        match value {
            Value::Object(map) => Some(Self { map, pointer: pointer.to_owned(), mistakes, known: RefCell::default() }),
            other => {
                mistakes.add(pointer, format!("must be a table, got {}", kind_of(other)));
                None
            }
        }
    }

    pub(super) fn at(&self, key: &str) -> String {
        format!("{}/{}", self.pointer, key.replace('~', "~0").replace('/', "~1"))
    }

    pub(super) fn mistake(&self, key: &str, message: impl Into<String>) {
        self.mistakes.add(&self.at(key), message);
    }

    /// A mistake at a path below the table.
    pub(super) fn mistake_at(&self, path: &str, message: impl Into<String>) {
        self.mistakes.add(&format!("{}/{path}", self.pointer), message);
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.known.borrow_mut().insert(key);
        self.map.contains_key(key)
    }

    fn get(&self, key: &'static str) -> Option<&'a Value> {
        self.known.borrow_mut().insert(key);
        self.map.get(key)
    }

    fn required<T>(&self, key: &'static str, found: Option<T>) -> Option<T> {
        if found.is_none() && !self.map.contains_key(key) {
            self.mistake(key, "is missing");
        }
        found
    }

    fn read<T>(&self, key: &'static str, wanted: &str, convert: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
        let value = self.get(key)?;
        let converted = convert(value);
        if converted.is_none() {
            self.mistake(key, format!("must be {wanted}, got {}", kind_of(value)));
        }
        converted
    }

    /// An optional text; present but blank is a mistake.
    pub(super) fn optional_text(&self, key: &'static str) -> Option<&'a str> {
        let text = self.read(key, "a text", Value::as_str)?;
        if text.trim().is_empty() {
            self.mistake(key, "must not be empty");
            return None;
        }
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            self.mistake(key, "must not contain control characters");
            return None;
        }
        Some(text)
    }

    pub(super) fn text(&self, key: &'static str) -> Option<&'a str> {
        self.required(key, self.optional_text(key))
    }

    /// A text of at most `longest` characters on one line.
    pub(super) fn line(&self, key: &'static str, longest: usize) -> Option<String> {
        let text = self.text(key)?;
        if text.chars().count() > longest || text.contains('\n') {
            self.mistake(key, format!("must be one line of at most {longest} characters"));
            return None;
        }
        let text = text.trim();
        if text.contains(misleads) {
            self.mistake(key, "must not hold characters that cannot be seen or turn the direction of text");
            return None;
        }
        Some(text.to_owned())
    }

    /// A text of one character that can stand between fields.
    pub(super) fn text_of_one(&self, key: &'static str) -> Option<char> {
        let separates = |c: &char| c.is_ascii() && !c.is_ascii_alphanumeric() && !matches!(c, '"' | '\n' | '\r' | '\0');
        self.read(key, "one character such as \";\" or \"\\t\"", |value| {
            let mut characters = value.as_str()?.chars();
            characters.next().filter(|_| characters.next().is_none()).filter(separates)
        })
    }

    pub(super) fn optional_number(&self, key: &'static str) -> Option<f64> {
        self.read(key, "a finite number", |value| value.as_f64().filter(|number| number.is_finite()))
    }

    /// A number inside `low..=high`, or the default when absent.
    pub(super) fn number_in(&self, key: &'static str, low: f64, high: f64, default: Option<f64>) -> Option<f64> {
        let found = self.optional_number(key);
        let number = match (found, self.map.contains_key(key), default) {
            (None, false, Some(default)) => default,
            _ => self.required(key, found)?,
        };
        if (low..=high).contains(&number) {
            return Some(number);
        }
        self.mistake(key, format!("must lie between {low} and {high}, got {number}"));
        None
    }

    pub(super) fn optional_whole(&self, key: &'static str) -> Option<u64> {
        self.read(key, "a whole number, zero or more", Value::as_u64)
    }

    pub(super) fn whole_or(&self, key: &'static str, default: u64) -> u64 {
        self.optional_whole(key).unwrap_or(default)
    }

    pub(super) fn truth_or(&self, key: &'static str, default: bool) -> bool {
        self.read(key, "true or false", Value::as_bool).unwrap_or(default)
    }

    pub(super) fn span_or(&self, key: &'static str, default: &str) -> Option<Span> {
        let text = if self.has(key) { self.text(key)? } else { default };
        text.parse().map_err(|message: String| self.mistake(key, message)).ok()
    }

    pub(super) fn optional_span(&self, key: &'static str) -> Option<Span> {
        if self.has(key) { self.span_or(key, "") } else { None }
    }

    /// One of a fixed set of words.
    pub(super) fn word<T: FromStr>(&self, key: &'static str, choices: &str) -> Option<T> {
        let text = self.text(key)?;
        text.parse().map_err(|_| self.mistake(key, format!("must be one of {choices}, got {text:?}"))).ok()
    }

    /// One of a fixed set of words, or the default when absent.
    pub(super) fn word_of<T: Copy>(&self, key: &'static str, choices: &[(&str, T)], default: T) -> Option<T> {
        let Some(text) = self.optional_text(key) else {
            return (!self.map.contains_key(key)).then_some(default);
        };
        let found = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            self.mistake(key, format!("must be one of {}, got {text:?}", words.join(", ")));
        }
        found
    }

    /// A list of texts.
    pub(super) fn optional_texts(&self, key: &'static str) -> Option<Vec<String>> {
        self.read(key, "a list of texts", |value| {
            value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        })
    }

    /// A list of finite numbers; it must be there.
    pub(super) fn numbers(&self, key: &'static str) -> Option<Vec<f64>> {
        let found = self.read(key, "a list of finite numbers", |value| {
            value.as_array()?.iter().map(|item| item.as_f64().filter(|number| number.is_finite())).collect()
        });
        self.required(key, found)
    }

    /// One text, or a list of them; it must be there.
    pub(super) fn text_or_texts(&self, key: &'static str) -> Option<Vec<String>> {
        let found = self.read(key, "a text or a list of texts", |value| match value {
            Value::String(text) => Some(vec![text.clone()]),
            other => other.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        });
        self.required(key, found)
    }

    pub(super) fn optional_table(&self, key: &'static str) -> Option<Self> {
        Self::new(self.get(key)?, &self.at(key), self.mistakes)
    }

    pub(super) fn table(&self, key: &'static str) -> Option<Self> {
        self.required(key, self.optional_table(key))
    }

    /// The tables of a list; an absent list is empty.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Self> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Value::Array(items) = value else {
            self.mistake(key, format!("must be a list of tables, got {}", kind_of(value)));
            return Vec::new();
        };
        let tables = items.iter().enumerate();
        tables
            .filter_map(|(position, item)| Self::new(item, &format!("{}/{position}", self.at(key)), self.mistakes))
            .collect()
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn close(&self) {
        let known = self.known.borrow();
        for key in self.map.keys().filter(|key| !known.contains(key.as_str())) {
            let near = crate::expr::nearest(key, known.iter().copied());
            let hint = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            self.mistake(key, format!("is not a key of the problem document{hint}"));
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}
