//! The allow-list of functions. What is not here cannot be said.

use crate::schema::ValueType;

/// A scalar function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is SQL's function of that name; `signature` says the rest")]
pub enum Function {
    Abs,
    Ceil,
    Floor,
    Round,
    Sqrt,
    Ln,
    Log10,
    Exp,
    Power,
    Sign,
    Least,
    Greatest,
    Coalesce,
    Nullif,
    Lower,
    Upper,
    Trim,
    Length,
    Substr,
    Concat,
    Year,
    Month,
    Day,
    DayOfWeek,
    Hour,
    Minute,
    Epoch,
}

/// What a function takes and gives.
pub(crate) enum Signature {
    /// Every argument and the result are of fixed types; arguments after `required` may be left out.
    Fixed { arguments: &'static [ValueType], required: usize, result: ValueType },
    /// One or more arguments of one type, which is the result's.
    Alike { least: usize, most: usize },
    /// Any number of texts make a text.
    Texts,
}

impl Function {
    const ALL: [(Self, &'static str); 27] = [
        (Self::Abs, "abs"),
        (Self::Ceil, "ceil"),
        (Self::Floor, "floor"),
        (Self::Round, "round"),
        (Self::Sqrt, "sqrt"),
        (Self::Ln, "ln"),
        (Self::Log10, "log10"),
        (Self::Exp, "exp"),
        (Self::Power, "power"),
        (Self::Sign, "sign"),
        (Self::Least, "least"),
        (Self::Greatest, "greatest"),
        (Self::Coalesce, "coalesce"),
        (Self::Nullif, "nullif"),
        (Self::Lower, "lower"),
        (Self::Upper, "upper"),
        (Self::Trim, "trim"),
        (Self::Length, "length"),
        (Self::Substr, "substr"),
        (Self::Concat, "concat"),
        (Self::Year, "year"),
        (Self::Month, "month"),
        (Self::Day, "day"),
        (Self::DayOfWeek, "day_of_week"),
        (Self::Hour, "hour"),
        (Self::Minute, "minute"),
        (Self::Epoch, "epoch"),
    ];

    /// The function of that SQL name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(function, _)| *function)
    }

    /// The SQL name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(function, _)| *function == self).map_or("", |(_, name)| name)
    }

    /// All names, for messages and documentation.
    pub fn names() -> String {
        Self::ALL.map(|(_, name)| name).join(", ")
    }

    pub(crate) const fn signature(self) -> Signature {
        use ValueType::{Number, Text, Time};
        match self {
            Self::Abs | Self::Ceil | Self::Floor | Self::Sqrt | Self::Ln | Self::Log10 | Self::Exp | Self::Sign => {
                Signature::Fixed { arguments: &[Number], required: 1, result: Number }
            }
            Self::Round => Signature::Fixed { arguments: &[Number, Number], required: 1, result: Number },
            Self::Power => Signature::Fixed { arguments: &[Number, Number], required: 2, result: Number },
            Self::Least | Self::Greatest | Self::Coalesce => Signature::Alike { least: 1, most: 64 },
            Self::Nullif => Signature::Alike { least: 2, most: 2 },
            Self::Lower | Self::Upper | Self::Trim => {
                Signature::Fixed { arguments: &[Text], required: 1, result: Text }
            }
            Self::Length => Signature::Fixed { arguments: &[Text], required: 1, result: Number },
            Self::Substr => Signature::Fixed { arguments: &[Text, Number, Number], required: 2, result: Text },
            Self::Concat => Signature::Texts,
            Self::Year | Self::Month | Self::Day | Self::DayOfWeek | Self::Hour | Self::Minute | Self::Epoch => {
                Signature::Fixed { arguments: &[Time], required: 1, result: Number }
            }
        }
    }

    /// How many arguments it takes, in words.
    pub(crate) const fn arity(self) -> (usize, usize, &'static str) {
        match self.signature() {
            Signature::Fixed { arguments, required, .. } => match (required, arguments.len()) {
                (1, 1) => (1, 1, "one"),
                (2, 2) => (2, 2, "two"),
                (1, 2) => (1, 2, "one or two"),
                (least, most) => (least, most, "two or three"),
            },
            Signature::Alike { least: 2, .. } => (2, 2, "two"),
            Signature::Alike { least, most } => (least, most, "one to 64"),
            Signature::Texts => (1, 64, "one to 64"),
        }
    }
}
