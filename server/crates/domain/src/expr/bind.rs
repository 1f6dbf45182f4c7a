//! Binding: column names become slots and types are checked, before any data is read.

use super::function::Signature;
use serde_json::Map;

use super::{Expression, Function, Node, Operator, eval};
use crate::schema::{Column, Value, ValueType};

/// Why an expression does not fit the columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// A name that no column has.
    #[error("column {name:?} does not exist{}", suggestion(.similar))]
    UnknownColumn {
        /// The name as written.
        name: String,
        /// The nearest existing name, if one is near.
        similar: Option<String>,
    },
    /// An operand of the wrong type.
    #[error("{place} needs {wanted}, got {got}")]
    Type {
        /// The operator or function.
        place: String,
        /// What it needs.
        wanted: String,
        /// What it got.
        got: ValueType,
    },
}

fn suggestion(similar: &Option<String>) -> String {
    similar.as_ref().map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

/// An expression bound to columns: every name is a slot, every type is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    pub(super) tree: Node<usize>,
    value_type: ValueType,
}

impl Bound {
    /// The type of its results. An expression that is always null counts as a number.
    pub const fn value_type(&self) -> ValueType {
        self.value_type
    }
}

impl Expression {
    /// Binds the names to `columns`; slot `i` is `columns[i]`.
    ///
    /// # Errors
    /// The first name that does not exist or operand of the wrong type.
    pub fn bind(&self, columns: &[Column]) -> Result<Bound, BindError> {
        let tree = bind(&self.tree, &|name| slot(name, columns).map(Node::Column))?;
        let value_type = type_of(&tree, columns)?.unwrap_or(ValueType::Number);
        Ok(Bound { tree, value_type })
    }

    /// Whether it holds of one object as it was sent: its numbers, texts and truth values are what the names stand for, and everything
    /// else is null, also what is absent. What is unknown does not hold.
    ///
    /// # Errors
    /// The first operand of the wrong type; also where it is no condition.
    pub fn holds_of(&self, sent: &Map<String, serde_json::Value>) -> Result<bool, BindError> {
        let tree = bind(&self.tree, &|name| Ok(literal(sent.get(name))))?;
        match type_of(&tree, &[])? {
            None | Some(ValueType::Boolean) => {}
            Some(got) => return Err(mismatch("a condition", "a boolean", got)),
        }
        let nothing: &[Value<'_>] = &[];
        Ok(eval::evaluate(&tree, nothing) == Value::Boolean(true))
    }

    /// The text that names its value for one object as it was sent, as [`Self::holds_of`] reads it; none where that is null, or where it
    /// cannot be computed of what is sent alone.
    pub fn text_of(&self, sent: &Map<String, serde_json::Value>) -> Option<String> {
        let tree = bind(&self.tree, &|name| Ok(literal(sent.get(name)))).ok()?;
        type_of(&tree, &[]).ok()?;
        let nothing: &[Value<'_>] = &[];
        eval::evaluate(&tree, nothing).into_text().map(std::borrow::Cow::into_owned)
    }
}

/// What was sent, as it would be written in an expression.
fn literal(sent: Option<&serde_json::Value>) -> Node<usize> {
    match sent {
        Some(serde_json::Value::Number(number)) => number.as_f64().map_or(Node::Null, Node::Number),
        Some(serde_json::Value::String(text)) => Node::Text(text.clone()),
        Some(serde_json::Value::Bool(truth)) => Node::Boolean(*truth),
        _ => Node::Null,
    }
}

fn bind(
    node: &Node<String>,
    stands_for: &dyn Fn(&str) -> Result<Node<usize>, BindError>,
) -> Result<Node<usize>, BindError> {
    let one = |item: &Node<String>| bind(item, stands_for).map(Box::new);
    let all = |items: &[Node<String>]| items.iter().map(|item| bind(item, stands_for)).collect::<Result<Vec<_>, _>>();
    Ok(match node {
        Node::Column(name) => stands_for(name)?,
        Node::Number(number) => Node::Number(*number),
        Node::Text(text) => Node::Text(text.clone()),
        Node::Boolean(truth) => Node::Boolean(*truth),
        Node::Null => Node::Null,
        Node::Negate(item) => Node::Negate(one(item)?),
        Node::Not(item) => Node::Not(one(item)?),
        Node::Binary(operator, left, right) => Node::Binary(*operator, one(left)?, one(right)?),
        Node::Call(function, arguments) => Node::Call(*function, all(arguments)?),
        Node::Case { branches, otherwise } => Node::Case {
            branches: branches
                .iter()
                .map(|(condition, result)| Ok((bind(condition, stands_for)?, bind(result, stands_for)?)))
                .collect::<Result<_, BindError>>()?,
            otherwise: one(otherwise)?,
        },
        Node::In { item, list, negated } => Node::In { item: one(item)?, list: all(list)?, negated: *negated },
        Node::Like { item, pattern, negated } => {
            Node::Like { item: one(item)?, pattern: pattern.clone(), negated: *negated }
        }
        Node::Matches { item, pattern, negated } => {
            Node::Matches { item: one(item)?, pattern: pattern.clone(), negated: *negated }
        }
        Node::IsNull { item, negated } => Node::IsNull { item: one(item)?, negated: *negated },
        Node::Cast(item, to) => Node::Cast(one(item)?, *to),
    })
}

fn slot(name: &str, columns: &[Column]) -> Result<usize, BindError> {
    columns.iter().position(|column| column.name == name).ok_or_else(|| BindError::UnknownColumn {
        name: name.to_owned(),
        similar: nearest(name, columns.iter().map(|column| column.name.as_str())),
    })
}

/// The candidate within an edit distance of a third of the name's length, if any.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let limit = (name.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// Levenshtein's distance, ignoring case.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.to_lowercase().chars().enumerate() {
        let mut current = vec![i + 1];
        for (j, right) in b.iter().enumerate() {
            let substitute = previous[j] + usize::from(left != *right);
            current.push(substitute.min(previous[j + 1] + 1).min(current[j] + 1));
        }
        previous = current;
    }
    previous[b.len()]
}

/// The type of a node, none when it is always null.
fn type_of(node: &Node<usize>, columns: &[Column]) -> Result<Option<ValueType>, BindError> {
    use ValueType::{Boolean, Number, Text};
    let of = |item: &Node<usize>| type_of(item, columns);
    let need = |place: &str, item: &Node<usize>, wanted: ValueType| match of(item)? {
        Some(got) if got != wanted => Err(mismatch(place, &format!("a {wanted}"), got)),
        _ => Ok(()),
    };
    Ok(match node {
        Node::Column(slot) => Some(columns[*slot].column_type.value_type()),
        Node::Number(_) => Some(Number),
        Node::Text(_) => Some(Text),
        Node::Boolean(_) => Some(Boolean),
        Node::Null => None,
        Node::Negate(item) => need("-", item, Number).map(|()| Some(Number))?,
        Node::Not(item) => need("NOT", item, Boolean).map(|()| Some(Boolean))?,
        Node::Binary(operator, left, right) => Some(type_of_binary(*operator, left, right, columns)?),
        Node::Call(function, arguments) => type_of_call(*function, arguments, columns)?,
        Node::Case { branches, otherwise } => {
            for (condition, _) in branches {
                need("WHEN", condition, Boolean)?;
            }
            let results = branches.iter().map(|(_, result)| result).chain(std::iter::once(otherwise.as_ref()));
            alike("CASE", results, columns)?
        }
        Node::In { item, list, .. } => {
            alike("IN", std::iter::once(item.as_ref()).chain(list), columns)?;
            Some(Boolean)
        }
        Node::Like { item, .. } => need("LIKE", item, Text).map(|()| Some(Boolean))?,
        Node::Matches { item, .. } => need("~", item, Text).map(|()| Some(Boolean))?,
        Node::IsNull { item, .. } => of(item).map(|_| Some(Boolean))?,
        Node::Cast(item, to) => type_of_cast(of(item)?, *to)?,
    })
}

fn type_of_binary(
    operator: Operator,
    left: &Node<usize>,
    right: &Node<usize>,
    columns: &[Column],
) -> Result<ValueType, BindError> {
    use Operator as Op;
    let place = operator.symbol();
    let both = |wanted: ValueType| -> Result<(), BindError> {
        for side in [left, right] {
            match type_of(side, columns)? {
                Some(got) if got != wanted => return Err(mismatch(place, &format!("two {wanted}s"), got)),
                _ => {}
            }
        }
        Ok(())
    };
    match operator {
        Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Remainder => {
            both(ValueType::Number).map(|()| ValueType::Number)
        }
        Op::Concat => both(ValueType::Text).map(|()| ValueType::Text),
        Op::And | Op::Or => both(ValueType::Boolean).map(|()| ValueType::Boolean),
        Op::Equal | Op::NotEqual | Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => {
            alike(place, [left, right].into_iter(), columns).map(|_| ValueType::Boolean)
        }
    }
}

fn type_of_call(
    function: Function,
    arguments: &[Node<usize>],
    columns: &[Column],
) -> Result<Option<ValueType>, BindError> {
    match function.signature() {
        Signature::Fixed { arguments: wanted, result, .. } => {
            for (argument, wanted) in arguments.iter().zip(wanted) {
                match type_of(argument, columns)? {
                    Some(got) if got != *wanted => {
                        return Err(mismatch(function.name(), &format!("a {wanted}"), got));
                    }
                    _ => {}
                }
            }
            Ok(Some(result))
        }
        Signature::Alike { .. } => alike(function.name(), arguments.iter(), columns),
        Signature::Texts => match alike(function.name(), arguments.iter(), columns)? {
            Some(got) if got != ValueType::Text => Err(mismatch(function.name(), "texts", got)),
            _ => Ok(Some(ValueType::Text)),
        },
    }
}

/// Any type casts to text; text, booleans and times cast to number.
fn type_of_cast(from: Option<ValueType>, to: ValueType) -> Result<Option<ValueType>, BindError> {
    match (from, to) {
        (_, ValueType::Text | ValueType::Number) | (None, _) => Ok(Some(to)),
        (Some(from), to) if from == to => Ok(Some(to)),
        (Some(from), to) => Err(mismatch("CAST", &format!("something that casts to {to}"), from)),
    }
}

/// The one type of all items that are not always null.
fn alike<'a>(
    place: &str,
    items: impl Iterator<Item = &'a Node<usize>>,
    columns: &[Column],
) -> Result<Option<ValueType>, BindError> {
    let mut common = None;
    for item in items {
        match (common, type_of(item, columns)?) {
            (None, found) => common = found,
            (Some(wanted), Some(got)) if got != wanted => {
                return Err(mismatch(place, &format!("operands of one type ({wanted})"), got));
            }
            _ => {}
        }
    }
    Ok(common)
}

fn mismatch(place: &str, wanted: &str, got: ValueType) -> BindError {
    BindError::Type { place: place.to_owned(), wanted: wanted.to_owned(), got }
}

impl Operator {
    const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Concat => "||",
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::And => "AND",
            Self::Or => "OR",
        }
    }
}
