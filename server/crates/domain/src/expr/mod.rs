//! The expression language of features, checks and targets: SQL's scalar grammar over one row.
//!
//! An *expression* is read from text into a small tree ([`Expression`]), *bound* to columns ([`Bound`]), which checks names
//! and types before any data is read, and then *evaluated* one row at a time ([`Bound::evaluate`]). There is one
//! evaluator: training walks it over the rows of a dataset version, serving over the single row of a request, so the two
//! cannot differ. Numbers are doubles; a result that is not finite (division by zero, logarithm of a negative number) is
//! null; comparisons with null are null; `and`, `or` and `not` follow SQL's three-valued logic.

#![cfg_attr(
    not(feature = "parse"),
    expect(dead_code, reason = "only reading builds trees, and the browser bundle reads none")
)]

mod bind;
mod eval;
mod function;
#[cfg(feature = "parse")]
mod parse;
mod pattern;
mod simple;

use serde::{Serialize, Serializer};

#[cfg(feature = "parse")]
pub(crate) use bind::nearest;
pub use bind::{BindError, Bound};
pub use eval::Row;
pub use function::Function;
pub use simple::{Limit, Simple};

use crate::schema::ValueType;
use pattern::Pattern;

/// Nesting deeper than this is refused, so a document cannot exhaust the stack.
pub const MAX_DEPTH: usize = 64;
/// Longer texts are refused before they are parsed.
pub const MAX_LENGTH: usize = 4_096;

/// Why a text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// Not SQL at all.
    #[error("is not an SQL scalar expression: {0}")]
    Syntax(String),
    /// SQL, but not of the part that features may use.
    #[error(
        "uses {0}, which expressions may not use; allowed are columns, literals, operators, CASE, CAST, IN, BETWEEN, \
         LIKE, ~ (regular expressions), IS NULL and the functions {names}",
        names = Function::names()
    )]
    Forbidden(String),
    /// A function with the wrong number of arguments.
    #[error("calls {function} with {given} arguments; it takes {takes}")]
    Arity {
        /// The function.
        function: &'static str,
        /// How many were given.
        given: usize,
        /// How many it takes, in words.
        takes: &'static str,
    },
    /// Too long or nested too deeply.
    #[error("is too large: at most {MAX_LENGTH} characters and {MAX_DEPTH} levels")]
    TooLarge,
}

/// An expression as written, with the names it uses.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    text: String,
    tree: Node<String>,
}

impl Expression {
    /// Reads SQL text.
    ///
    /// # Errors
    /// When the text is no scalar expression or says something that the allow-list does not hold.
    #[cfg(feature = "parse")]
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        Ok(Self { text: text.trim().to_owned(), tree: parse::parse(text)? })
    }

    /// An expression that is just a column; its text is quoted where SQL would read the bare name as something else.
    #[cfg(feature = "parse")]
    pub fn column(name: &str) -> Self {
        let tree = Node::Column(name.to_owned());
        let is_bare = parse::parse(name).is_ok_and(|read| read == tree);
        let text = if is_bare { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) };
        Self { text, tree }
    }

    /// The text as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The columns it reads, each once, in order of first use.
    pub fn columns(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.tree.visit_columns(&mut |name| {
            if !names.contains(&name.as_str()) {
                names.push(name.as_str());
            }
        });
        names
    }
}

/// Written as its text: the tree is read from it again.
impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(feature = "parse")]
impl<'de> serde::Deserialize<'de> for Expression {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A node of the tree; `C` is how a column is named: by text when read, by slot when bound.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node<C> {
    Column(C),
    Number(f64),
    Text(String),
    Boolean(bool),
    Null,
    Negate(Box<Node<C>>),
    Not(Box<Node<C>>),
    Binary(Operator, Box<Node<C>>, Box<Node<C>>),
    Call(Function, Vec<Node<C>>),
    Case { branches: Vec<(Node<C>, Node<C>)>, otherwise: Box<Node<C>> },
    In { item: Box<Node<C>>, list: Vec<Node<C>>, negated: bool },
    Like { item: Box<Node<C>>, pattern: String, negated: bool },
    Matches { item: Box<Node<C>>, pattern: Pattern, negated: bool },
    IsNull { item: Box<Node<C>>, negated: bool },
    Cast(Box<Node<C>>, ValueType),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Concat,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

impl<C> Node<C> {
    /// The direct parts of this node.
    fn children(&self) -> Vec<&Self> {
        match self {
            Self::Column(_) | Self::Number(_) | Self::Text(_) | Self::Boolean(_) | Self::Null => Vec::new(),
            Self::Negate(item) | Self::Not(item) | Self::Cast(item, _) => vec![item],
            Self::Like { item, .. } | Self::Matches { item, .. } | Self::IsNull { item, .. } => vec![item],
            Self::Binary(_, left, right) => vec![left, right],
            Self::Call(_, arguments) => arguments.iter().collect(),
            Self::In { item, list, .. } => std::iter::once(item.as_ref()).chain(list).collect(),
            Self::Case { branches, otherwise } => branches
                .iter()
                .flat_map(|(condition, result)| [condition, result])
                .chain(std::iter::once(otherwise.as_ref()))
                .collect(),
        }
    }

    fn visit_columns<'a>(&'a self, visit: &mut impl FnMut(&'a C)) {
        if let Self::Column(column) = self {
            visit(column);
        }
        for child in self.children() {
            child.visit_columns(visit);
        }
    }
}

#[cfg(all(test, feature = "parse"))]
mod tests;
