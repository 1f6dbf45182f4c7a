//! Searching runs: a filter such as `metrics.test.roc_auc > 0.8 and params.max_depth <= 6`, an order such as
//! `metrics.test.roc_auc desc, seconds`, and columns.
//!
//! A filter is comparisons joined by `and`. A field is `metrics.NAME` (its final value), `params.NAME` (what the model was fitted with,
//! else what was asked for), `tags.NAME` (of a run that a program elsewhere logs), or one of `state`, `completion`, `trainer`, `problem`, `author`, `created`, `kind` (`run`, `reproduction` or `tracked`), `name`, `seed`,
//! `began_ms`, `seconds`, `run` and `model`.
//! Names with other characters than letters, digits, `_`, `-` and `.` are quoted: `params."my name"`. Numbers are compared by
//! `=`, `!=`, `<`, `<=`, `>` and `>=`, texts (`'…'`) by `=`, `!=` and `like` (`%` is anything, and case does not matter), times as texts (`created >=
//! '2026-11-01'`). A run without the value passes no comparison, nor does a value that is not a number.

use std::fmt;
use std::str::FromStr;

/// A filter may be so long.
const MOST_CHARS: usize = 2_000;
/// A filter may have so many comparisons.
const MOST_CONDITIONS: usize = 20;
/// A name may have so many bytes.
const MOST_NAME: usize = 300;
/// A list may be ordered by so many fields.
const MOST_ORDERS: usize = 5;
/// So many columns may be asked for.
const MOST_COLUMNS: usize = 50;

/// Something that runs have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field {
    /// The final value of a metric.
    Metric(String),
    /// A hyperparameter.
    Parameter(String),
    /// A tag of a run that a program elsewhere logs.
    Tag(String),
    /// A text or number that every run has.
    Own(Own),
}

macro_rules! own {
    ($($(#[$doc:meta])* $variant:ident = $word:literal $kind:ident),+ $(,)?) => {
        /// What every run has.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Own { $($(#[$doc])* $variant),+ }

        impl Own {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            const fn is_number(self) -> bool {
                match self { $(Self::$variant => own!(@$kind)),+ }
            }
        }
    };
    (@number) => { true };
    (@text) => { false };
}

own! {
    /// Its state.
    State = "state" text,
    /// The same, whatever gates said: of a rejected run `succeeded`.
    Completion = "completion" text,
    /// Its trainer.
    Trainer = "trainer" text,
    /// Its problem.
    Problem = "problem" text,
    /// Who launched it.
    Author = "author" text,
    /// When it was launched.
    Created = "created" text,
    /// `run`, `reproduction` of one that repeats another run, or `tracked` of one that a program elsewhere logs.
    Kind = "kind" text,
    /// What a program elsewhere calls the run that it logs.
    Name = "name" text,
    /// Its seed.
    Seed = "seed" number,
    /// When it began, in milliseconds since 1970; of one that has not, when it was launched.
    Began = "began_ms" number,
    /// Seconds from launch to end.
    Seconds = "seconds" number,
    /// Its number.
    Run = "run" number,
    /// The number of the model version that it registered.
    Model = "model" number,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the word of each says it")]
pub enum Comparison {
    Equal,
    Different,
    AtMost,
    AtLeast,
    Below,
    Above,
    Like,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What is compared.
    pub field: Field,
    /// How.
    pub comparison: Comparison,
    /// With what.
    pub operand: Operand,
}

/// The order of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: Field,
    /// Whether the greatest comes first. What has no number comes last either way.
    pub descending: bool,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |f: &mut fmt::Formatter<'_>, kind: &str, name: &str| {
            if name.chars().all(is_plain) { write!(f, "{kind}.{name}") } else { write!(f, "{kind}.\"{name}\"") }
        };
        match self {
            Self::Metric(name) => named(f, "metrics", name),
            Self::Parameter(name) => named(f, "params", name),
            Self::Tag(name) => named(f, "tags", name),
            Self::Own(own) => f.write_str(own.as_str()),
        }
    }
}

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = Words { text, at: 0 };
        let field = words.field()?;
        words.end().map(|()| field)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.by, if self.descending { " desc" } else { "" })
    }
}

/// Reads a filter; an empty one lets everything pass.
///
/// # Errors
/// What is wrong and at which character, in words.
pub fn filter(text: &str) -> Result<Vec<Condition>, String> {
    if text.chars().count() > MOST_CHARS {
        return Err(format!("is longer than {MOST_CHARS} characters"));
    }
    let mut words = Words { text, at: 0 };
    let mut conditions = Vec::new();
    if words.is_at_end() {
        return Ok(conditions);
    }
    loop {
        conditions.push(words.condition()?);
        if conditions.len() > MOST_CONDITIONS {
            return Err(format!("has more than {MOST_CONDITIONS} comparisons"));
        }
        if !words.keyword("and") {
            return words.end().map(|()| conditions);
        }
    }
}

/// Reads what orders a list, separated by commas: `metrics.test.roc_auc desc, params.depth`. Of runs that are equal by the first, the
/// second decides, and so on.
///
/// # Errors
/// What is wrong and at which character, in words.
pub fn orders(text: &str) -> Result<Vec<Order>, String> {
    let mut words = Words { text, at: 0 };
    let mut orders = Vec::new();
    loop {
        let by = words.field()?;
        let descending = words.keyword("desc");
        if !descending {
            words.keyword("asc");
        }
        orders.push(Order { by, descending });
        if orders.len() > MOST_ORDERS {
            return Err(format!("names more than {MOST_ORDERS} fields"));
        }
        if !words.comma() {
            return words.end().map(|()| orders);
        }
    }
}

/// Reads columns, separated by commas; each once.
///
/// # Errors
/// What is wrong, in words.
pub fn columns<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<Field>, String> {
    let mut columns = Vec::new();
    for text in texts.into_iter().flat_map(|text| text.split(',')).map(str::trim).filter(|text| !text.is_empty()) {
        let field: Field = text.parse()?;
        if !columns.contains(&field) {
            columns.push(field);
        }
        if columns.len() > MOST_COLUMNS {
            return Err(format!("are more than {MOST_COLUMNS}"));
        }
    }
    Ok(columns)
}

const fn is_plain(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '-')
}

/// What is left of a text, word by word.
struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        &self.text[self.at..]
    }

    fn is_at_end(&mut self) -> bool {
        self.rest().is_empty()
    }

    fn end(&mut self) -> Result<(), String> {
        if self.is_at_end() { Ok(()) } else { Err(self.wrong("nothing more")) }
    }

    fn wrong(&mut self, expected: &str) -> String {
        let found: String = self.rest().chars().take(20).collect();
        let found = if found.is_empty() { "the end".to_owned() } else { format!("{found:?}") };
        let position = self.text[..self.at].chars().count() + 1;
        format!("expected {expected} at character {position}, found {found}")
    }

    fn keyword(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let is_there = rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && rest[word.len()..].chars().next().is_none_or(|next| !is_plain(next));
        if is_there {
            self.at += word.len();
        }
        is_there
    }

    fn comma(&mut self) -> bool {
        let is_there = self.rest().starts_with(',');
        self.at += usize::from(is_there);
        is_there
    }

    fn plain(&mut self) -> &'a str {
        let rest = self.rest();
        let word = &rest[..rest.find(|char| !is_plain(char)).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    /// A text between two of `quote`, in which it is doubled.
    fn quoted(&mut self, quote: char) -> Option<String> {
        let inner = self.rest().strip_prefix(quote)?;
        let mut text = String::new();
        let mut chars = inner.char_indices().peekable();
        while let Some((position, char)) = chars.next() {
            if char != quote {
                text.push(char);
            } else if chars.next_if(|(_, next)| *next == quote).is_some() {
                text.push(quote);
            } else {
                self.at += position + 2;
                return Some(text);
            }
        }
        None
    }

    fn field(&mut self) -> Result<Field, String> {
        let expected = "metrics.NAME, params.NAME, tags.NAME, state, completion, trainer, problem, author, created, kind, seed, began_ms, seconds, run or model";
        self.rest();
        let before = self.at;
        let word = self.plain();
        let named = |kinds: [&str; 2]| kinds.iter().find_map(|kind| word.strip_prefix(kind));
        let (name, field): (&str, fn(String) -> Field) =
            match (named(["metrics.", "metric."]), named(["params.", "parameters."]), named(["tags.", "tag."])) {
                (Some(name), ..) => (name, Field::Metric),
                (None, Some(name), _) => (name, Field::Parameter),
                (None, None, Some(name)) => (name, Field::Tag),
                (None, None, None) => {
                    let own = Own::ALL.iter().find(|own| own.as_str() == word);
                    return own.map(|own| Field::Own(*own)).ok_or_else(|| {
                        self.at = before;
                        self.wrong(expected)
                    });
                }
            };
        let name = if name.is_empty() { self.quoted('"').unwrap_or_default() } else { name.to_owned() };
        let fits = (1..=MOST_NAME).contains(&name.len()) && !name.contains('\0');
        if fits { Ok(field(name)) } else { Err(self.wrong("a name")) }
    }

    fn comparison(&mut self) -> Option<Comparison> {
        use Comparison as C;
        if self.keyword("like") {
            return Some(C::Like);
        }
        let words = [
            ("<=", C::AtMost),
            (">=", C::AtLeast),
            ("!=", C::Different),
            ("=", C::Equal),
            ("<", C::Below),
            (">", C::Above),
        ];
        let rest = self.rest();
        let (word, comparison) = words.into_iter().find(|(word, _)| rest.starts_with(word))?;
        self.at += word.len();
        Some(comparison)
    }

    fn condition(&mut self) -> Result<Condition, String> {
        let field = self.field()?;
        let comparison = self.comparison().ok_or_else(|| self.wrong("=, !=, <, <=, >, >= or like"))?;
        self.rest();
        let before = self.at;
        let operand = match self.quoted('\'') {
            Some(text) if text.contains('\0') => return Err(self.wrong("a text without NUL")),
            Some(text) => Operand::Text(text),
            None => {
                let number = self.plain().parse::<f64>().ok().filter(|number| number.is_finite());
                Operand::Number(number.ok_or_else(|| {
                    self.at = before;
                    self.wrong("a number or a 'text'")
                })?)
            }
        };
        let fits = match (&field, &operand) {
            (Field::Metric(_), Operand::Number(_)) | (Field::Parameter(_), _) => true,
            (Field::Tag(_), operand) => matches!(operand, Operand::Text(_)),
            (Field::Metric(_), Operand::Text(_)) => false,
            (Field::Own(own), operand) => own.is_number() == matches!(operand, Operand::Number(_)),
        };
        let ordered =
            matches!(comparison, Comparison::AtMost | Comparison::AtLeast | Comparison::Below | Comparison::Above);
        let misfit = match (&operand, comparison) {
            _ if !fits => Some("a value of the field's kind"),
            (Operand::Number(_), Comparison::Like) => Some("a 'text' after like"),
            (Operand::Text(_), _) if ordered && field != Field::Own(Own::Created) => {
                Some("=, != or like with a 'text'")
            }
            _ => None,
        };
        match misfit {
            Some(expected) => {
                self.at = before;
                Err(self.wrong(expected))
            }
            None => Ok(Condition { field, comparison, operand }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_are_joined_by_and() {
        let read = filter("metrics.test.roc_auc > 0.8 AND params.max_depth<=6 and state = 'succeeded'").unwrap();
        let fields: Vec<String> = read.iter().map(|condition| condition.field.to_string()).collect();
        assert_eq!(fields, ["metrics.test.roc_auc", "params.max_depth", "state"]);
        assert_eq!(read[0].comparison, Comparison::Above);
        assert_eq!((&read[1].operand, read[1].comparison), (&Operand::Number(6.0), Comparison::AtMost));
        assert_eq!(read[2].operand, Operand::Text("succeeded".to_owned()));
        assert_eq!(filter("  ").unwrap(), []);
    }

    #[test]
    fn odd_names_and_quotes_are_kept() {
        let read = filter("params.\"my name\" like 'it''s%' and metrics.a-b_c != -1e3").unwrap();
        assert_eq!(read[0].field, Field::Parameter("my name".to_owned()));
        let tagged = filter("tags.mlflow.parentRunId = '7' and tags.\"my team\" like 'r%'").unwrap();
        assert_eq!(tagged[0].field, Field::Tag("mlflow.parentRunId".to_owned()));
        assert_eq!(tagged[1].field.to_string(), "tags.\"my team\"");
        assert!(filter("tags.team > 3").is_err());
        assert_eq!(read[0].field.to_string().parse(), Ok(read[0].field.clone()));
        assert_eq!(read[0].operand, Operand::Text("it's%".to_owned()));
        assert_eq!(read[1].operand, Operand::Number(-1e3));
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        for (text, told) in [
            ("accuracy > 1", "expected metrics.NAME, params.NAME"),
            ("state = 'failed' or seed = 1", "expected nothing more at character 18, found \"or seed = 1\""),
            ("metrics.x >", "expected a number or a 'text' at character 12, found the end"),
            ("metrics.x ~ 1", "expected =, !=, <"),
            ("metrics.x = 'a'", "expected a value of the field's kind at character 13"),
            ("metrics.x = nan", "expected a number"),
            ("state < 'a'", "expected =, != or like"),
            ("metrics. > 1", "expected a name"),
            ("state = 'open", "expected a number or a 'text'"),
        ] {
            let refused = filter(text).unwrap_err();
            assert!(refused.contains(told), "{text}: {refused}");
        }
        assert!(filter(&vec!["seed = 1"; 21].join(" and ")).unwrap_err().contains("more than 20"));
    }

    #[test]
    fn an_order_says_which_end_comes_first() {
        let told = |text| orders(text).map(|orders| orders.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(told("metrics.test.rmse desc"), Ok(vec!["metrics.test.rmse desc".to_owned()]));
        let several = told("metrics.\"a, b\" DESC , seconds asc,seed");
        assert_eq!(several, Ok(["metrics.\"a, b\" desc", "seconds", "seed"].map(str::to_owned).to_vec()));
        assert!(told("seconds down").is_err() && told("seconds,").is_err() && told("").is_err());
        assert!(told("seed,seed,seed,seed,seed,seed").unwrap_err().contains("more than 5"));
    }

    #[test]
    fn columns_are_told_once() {
        let read = columns(["metrics.a, params.b", "metrics.a"]).unwrap();
        assert_eq!(read, [Field::Metric("a".to_owned()), Field::Parameter("b".to_owned())]);
    }
}
