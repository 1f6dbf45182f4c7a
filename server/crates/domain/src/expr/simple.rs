//! Predicates that need no walk of a tree: one column held against constants.

use super::{Bound, Node, Operator};

/// One column held against constants. For a cell without a value it is unknown, but for [`Present`](Self::Present).
#[derive(Debug, Clone, PartialEq)]
pub enum Simple<'b> {
    /// There is a value.
    Present {
        /// The column.
        slot: usize,
    },
    /// The number lies between limits.
    Within {
        /// The column.
        slot: usize,
        /// The least value that is still in, if there is one; else what it must exceed.
        least: Limit,
        /// The greatest value that is still in, likewise.
        greatest: Limit,
    },
    /// The number is one of these.
    Number {
        /// The column.
        slot: usize,
        /// The numbers.
        among: Vec<f64>,
    },
    /// The text is one of these.
    Text {
        /// The column.
        slot: usize,
        /// The texts.
        among: Vec<&'b str>,
    },
}

/// One side of a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// There is none.
    None,
    /// The limit itself is in.
    In(f64),
    /// The limit itself is out.
    Out(f64),
}

impl Bound {
    /// The predicate, if it is that simple.
    pub fn simple(&self) -> Option<Simple<'_>> {
        match &self.tree {
            Node::IsNull { item, negated: true } => Some(Simple::Present { slot: column(item)? }),
            Node::Binary(Operator::And, left, right) => {
                let (first, second) = (range(left)?, range(right)?);
                match (first, second) {
                    ((slot, least, Limit::None), (other, Limit::None, greatest))
                    | ((slot, Limit::None, greatest), (other, least, Limit::None))
                        if slot == other =>
                    {
                        Some(Simple::Within { slot, least, greatest })
                    }
                    _ => None,
                }
            }
            Node::In { item, list, negated: false } => among(item, list),
            node => range(node).map(|(slot, least, greatest)| Simple::Within { slot, least, greatest }),
        }
    }
}

fn column(node: &Node<usize>) -> Option<usize> {
    if let Node::Column(slot) = node { Some(*slot) } else { None }
}

fn number(node: &Node<usize>) -> Option<f64> {
    match node {
        Node::Number(number) => Some(*number),
        Node::Negate(item) => number(item).map(|number| -number),
        _ => None,
    }
}

/// A comparison of a column with a number, as the limits it sets.
fn range(node: &Node<usize>) -> Option<(usize, Limit, Limit)> {
    let Node::Binary(operator, left, right) = node else { return None };
    let (slot, number, turned) = match (column(left), number(right)) {
        (Some(slot), Some(number)) => (slot, number, false),
        _ => (column(right)?, number(left)?, true),
    };
    let (least, greatest) = match (operator, turned) {
        (Operator::Greater, false) | (Operator::Less, true) => (Limit::Out(number), Limit::None),
        (Operator::GreaterOrEqual, false) | (Operator::LessOrEqual, true) => (Limit::In(number), Limit::None),
        (Operator::Less, false) | (Operator::Greater, true) => (Limit::None, Limit::Out(number)),
        (Operator::LessOrEqual, false) | (Operator::GreaterOrEqual, true) => (Limit::None, Limit::In(number)),
        _ => return None,
    };
    Some((slot, least, greatest))
}

fn among<'b>(item: &'b Node<usize>, list: &'b [Node<usize>]) -> Option<Simple<'b>> {
    // A text is its own text.
    let slot = match item {
        Node::Cast(inner, crate::schema::ValueType::Text) => column(inner)?,
        item => column(item)?,
    };
    let texts: Option<Vec<&str>> =
        list.iter().map(|one| if let Node::Text(text) = one { Some(text.as_str()) } else { None }).collect();
    if let Some(among) = texts {
        return Some(Simple::Text { slot, among });
    }
    let among = list.iter().map(number).collect::<Option<Vec<f64>>>()?;
    column(item).map(|slot| Simple::Number { slot, among })
}

#[cfg(all(test, feature = "parse"))]
mod tests {
    use super::*;
    use crate::expr::Expression;
    use crate::schema::{Column, ColumnType};

    fn bound(text: &str) -> Bound {
        let columns = [("x", ColumnType::Number), ("kind", ColumnType::Text)]
            .map(|(name, column_type)| Column { name: name.to_owned(), column_type });
        Expression::parse(text).expect("an expression").bind(&columns).expect("it fits")
    }

    #[test]
    fn ranges_lists_and_presence_are_simple() {
        let within = |least, greatest| Some(Simple::Within { slot: 0, least, greatest });
        for (text, expected) in [
            ("x BETWEEN -1 AND 2", within(Limit::In(-1.0), Limit::In(2.0))),
            ("x > 1 AND x <= 2", within(Limit::Out(1.0), Limit::In(2.0))),
            ("2 > x", within(Limit::None, Limit::Out(2.0))),
            ("x IS NOT NULL", Some(Simple::Present { slot: 0 })),
            ("x IN (1, -2)", Some(Simple::Number { slot: 0, among: vec![1.0, -2.0] })),
            ("kind IN ('a', 'b')", Some(Simple::Text { slot: 1, among: vec!["a", "b"] })),
            ("CAST(kind AS text) IN ('a')", Some(Simple::Text { slot: 1, among: vec!["a"] })),
        ] {
            assert_eq!(bound(text).simple(), expected, "{text}");
        }
    }

    #[test]
    fn what_reads_more_than_one_column_or_computes_is_not() {
        for text in
            ["x + 1 > 2", "x > 1 OR x < 0", "x NOT IN (1)", "x IS NULL", "x > 1 AND kind = 'a'", "x > 1 AND x > 2"]
        {
            assert_eq!(bound(text).simple(), None, "{text}");
        }
        // Unknown where nothing fits: not a list of values.
        assert_eq!(bound("x IN (1, NULL)").simple(), None);
    }
}
